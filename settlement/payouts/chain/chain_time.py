"""Chain time: the only clock of payouts."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from settlement.payouts.chain.nodes import ChainError, ChainPosition
from settlement.store.read.position import read_position

MAX_CLOCK_DIFFERENCE_SECONDS: Final = 600


def latest_time(connection: Connection, head_time: int) -> int:
    """The later of the nodes' head time and our ledger's time, in seconds since 1970."""
    position = read_position(connection)
    known = None if position is None else position.timestamp
    return max(head_time, known or 0)


def check_clock(position: ChainPosition, now: float) -> None:
    """Reject a node whose chain time is far from ours: stale, or trying to obtain a long-lived signature.

    Raises ChainError.
    """
    difference = round(position.time - now)
    if abs(difference) > MAX_CLOCK_DIFFERENCE_SECONDS:
        where = "ahead of" if difference > 0 else "behind"
        raise ChainError(
            f"the node's chain is {abs(difference)} seconds {where} this machine's clock: "
            "use another --node, or set the clock"
        )
