"""Journal entries, journal text and state text, with their hashes: what auditors compare."""
