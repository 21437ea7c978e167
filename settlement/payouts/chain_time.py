"""What time it is. There is no clock but the chain's."""

from __future__ import annotations

from sqlalchemy import Connection

from settlement.store.read.position import read_position


def latest(connection: Connection, head_time: int) -> int:
    """Seconds since 1970 by the nodes' head or by our ledger, whichever is further."""
    position = read_position(connection)
    known = None if position is None else position.timestamp
    return max(head_time, known or 0)
