"""Integrity checks of blocks: ids, witness signatures, merkle roots."""
