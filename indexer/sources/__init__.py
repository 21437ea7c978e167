"""Sources of blocks: Hive and Hive-Engine nodes, archives. Imports indexer.chain, settlement.net and core."""
