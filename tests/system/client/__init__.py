"""The Python client and the CCXT class against a whole exchange: devnet nodes, indexer and API."""
