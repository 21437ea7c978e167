"""Chain time: the only clock of payouts."""

from __future__ import annotations

from sqlalchemy import Connection

from settlement.store.read.position import read_position


def latest_time(connection: Connection, head_time: int) -> int:
    """The later of the nodes' head time and our ledger's time, in seconds since 1970."""
    position = read_position(connection)
    known = None if position is None else position.timestamp
    return max(head_time, known or 0)
