"""Integrity checks, which detect blocks that a node has altered: ids, witness signatures, merkle roots."""
