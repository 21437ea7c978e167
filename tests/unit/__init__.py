"""Unit tests: one process, no server, no database server."""
