"""Benchmarks. They import everything and are imported by nothing; docs/performance.md holds their figures."""
