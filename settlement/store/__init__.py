"""The database: tables, the recorder (effects → rows), the loader (rows → engine), read queries.

Everything in it can be made again from the chain; nothing in it is ever trusted over the chain.
"""
