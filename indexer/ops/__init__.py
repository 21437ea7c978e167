"""Operators' tools: backups, exports and the doctor. Imports sources, chain and the store."""
