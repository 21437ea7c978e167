"""What time it is. There is no clock but the chain's."""

from __future__ import annotations

from sqlalchemy import Connection

from settlement.payouts.funds import Chain
from settlement.store.queries.position import read_position


def chain_now(connection: Connection, chain: Chain) -> int:
    """Seconds since 1970 by the nodes or by our ledger, whichever is further. Raises ChainError."""
    position = read_position(connection)
    known = None if position is None else position.timestamp
    return max(chain.head_time(), known or 0)
