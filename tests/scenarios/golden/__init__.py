"""Golden journals: what two long generated chains gave when somebody last looked, and said why it changed.

For each seed `<seed>.json` pins the generator's output (a hash over the blocks and receipts) apart from the
rules' (the journal hash at every 50th block, the state hash at the end), and `<seed>.journal.gz` holds the text
of the first blocks, so that a difference can be read and not only noticed.
"""
