"""Writes the database: blocks to rows in one transaction, rows back to state. Imports store.read and core."""
