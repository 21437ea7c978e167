"""What the indexer is doing, for people: written beside the ledger, never part of it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select

from settlement.store import schema


class IndexerStatus(NamedTuple):
    """Times in seconds since 1970 (UTC) by the indexer's own clock."""

    updated: int
    mode: str
    irreversible: int | None
    waiting_for: str | None
    waiting_since: int | None
    nodes: str | None = None  # JSON array: of each node url, kind, state, error, rested_until
    peers: str | None = None  # JSON array: of each peer what `indexer.audit.peers.Verdict` has
    claims: str | None = None  # JSON object: our state hash by n of the operator's newest checkpoints


def write_status(engine: Engine, status: IndexerStatus) -> None:
    """Replace the status row, in a transaction of its own."""
    with engine.begin() as connection:
        connection.execute(delete(schema.indexer_status))
        connection.execute(insert(schema.indexer_status).values((1, *status)))


def read_status(connection: Connection) -> IndexerStatus | None:
    """The last status written; None before the indexer first ran."""
    s = schema.indexer_status.c
    row = connection.execute(select(*(s[name] for name in IndexerStatus._fields))).one_or_none()
    return None if row is None else IndexerStatus(*row)
