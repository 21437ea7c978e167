"""Example of a market maker over `peakedex.client`: quotes around a reference, within limits."""
