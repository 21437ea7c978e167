"""The indexing loop and its heartbeat. Imports sources, chain and the store."""
