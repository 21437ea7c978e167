"""Golden journals: recorded results of the rules for two long generated chains.

For each seed, `<seed>.json` holds hashes of the generated blocks and receipts, the journal hash at every 50th block and
the state hash at the end. `<seed>.journal.gz` holds the journal text of the first blocks, so that a difference can be
read. When they may be regenerated: CONTRIBUTING.md.
"""
