"""Exports: `indexer.export` and `peakedex export`."""
