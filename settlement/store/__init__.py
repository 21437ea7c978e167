"""The database: schema, engines for SQLite and PostgreSQL, lease. Imports settlement.core.

`write` projects the effects of blocks to rows; `read` holds the queries. The chain is the source of truth:
the database can be rebuilt from it and is never trusted over it.
"""
