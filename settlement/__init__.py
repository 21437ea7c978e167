"""The exchange: rules (core), database (store), payouts out of escrow. Imports no indexer and no api."""
