"""Programs of those who use a Peake DEX exchange: `peakedex.client`. Imports no package of the server."""
