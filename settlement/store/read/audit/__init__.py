"""Queries for auditors: journal, blocks, past states, checkpoints, liabilities and solvency."""
