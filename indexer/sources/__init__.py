"""Where blocks come from: Hive and Hive-Engine nodes, archives. Imports indexer.chain and settlement.core."""
