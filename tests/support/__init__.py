"""Shared test support: databases, the program, waiting, ports."""
