"""Builder of what is signed: actions of the protocol, and deposits. Imports settlement.core alone."""
