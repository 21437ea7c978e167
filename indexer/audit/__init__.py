"""Replay and compare: other databases, APIs, peers and checkpoints. Imports sources, chain and the store."""
