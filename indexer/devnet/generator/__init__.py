"""Deterministic chains generated from a seed, for tests and benchmarks."""
