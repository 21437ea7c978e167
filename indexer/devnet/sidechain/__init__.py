"""The simulated Hive-Engine sidechain."""
