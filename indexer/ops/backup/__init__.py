"""Copies of a database: snapshots, which are portable and prove themselves, and backups, kept elsewhere."""
