"""Journal and state as text, with their hashes: what auditors compare. Imports core values alone."""
