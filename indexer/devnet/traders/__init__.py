"""Simulated traders: bots, their order flow, and practice accounts."""
