"""What payouts ask of Hive and Hive-Engine nodes, and the meaning of their answers."""
