"""The live stream: one reader of the database in each process, any number of listeners.

watch → feed (thread) → history (ring of blocks, books) → render (bytes, once for all) → listeners
"""
