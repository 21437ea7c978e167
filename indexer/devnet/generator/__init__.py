"""Deterministic chains generated from a seed, for tests, benchmarks and the demo."""
