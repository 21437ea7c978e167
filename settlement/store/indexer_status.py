"""The indexer's status row: what it is doing, for operators. Not part of the state."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select

from settlement.store import schema


class IndexerStatus(NamedTuple):
    """Times are seconds since 1970 (UTC) by the indexer's clock."""

    updated: int
    mode: str  # catching up, following, outdated (it does not know the chain's protocol) or stopped
    irreversible: int | None  # the last irreversible block reported by a node
    waiting_for: str | None
    waiting_since: int | None
    nodes: str | None = None  # JSON array: url, kind, state, error, rested_until of each node
    peers: str | None = None  # JSON array: the fields of `indexer.audit.peers.PeerStatus` of each peer
    claims: str | None = None  # JSON object: own state hash, by n of the operator's newest checkpoints


def write_status(engine: Engine, status: IndexerStatus) -> None:
    """Replace the status row, in its own transaction."""
    with engine.begin() as connection:
        connection.execute(delete(schema.indexer_status))
        connection.execute(insert(schema.indexer_status).values((1, *status)))


def read_status(connection: Connection) -> IndexerStatus | None:
    """The last status written; None before the first indexer run."""
    s = schema.indexer_status.c
    row = connection.execute(select(*(s[name] for name in IndexerStatus._fields))).one_or_none()
    return None if row is None else IndexerStatus(*row)
