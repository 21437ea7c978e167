"""HTTP, JSON-RPC and Hive's text formats, shared by indexer and payouts. Imports nothing of ours."""
