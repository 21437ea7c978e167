"""The simulated Hive chain: accounts, keys, operations, blocks and forks."""
