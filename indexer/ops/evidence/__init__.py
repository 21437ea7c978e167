"""Published evidence: publishing it to a storage, fetching it from one. Imports sources and store."""
