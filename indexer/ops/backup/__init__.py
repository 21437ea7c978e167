"""Snapshots (portable, verifiable copies of a database) and backups in remote storage."""
