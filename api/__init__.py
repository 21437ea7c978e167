"""Read-only HTTP API and static site over the database. Imports settlement.store.read and core."""
