"""Following a chain: typed blocks, decoding to events, sources of blocks, verification (house, rooms)."""
