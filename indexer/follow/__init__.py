"""The follow loop and the indexer's heartbeat. Imports sources, chain, core and the store."""
