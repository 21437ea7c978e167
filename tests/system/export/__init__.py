"""Exports: `indexer.ops.export` and `peakedex export`."""
