"""Audit endpoints: journal, state, blocks, solvency, liabilities, checkpoints, peers."""
