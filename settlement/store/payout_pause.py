"""Pause of payouts, in the database. It is written by payouts' commands and by a restore alone."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from settlement.store import payout_schema

RUNNING: Final = 0
BY_OPERATOR: Final = 1
AFTER_RESTORE: Final = 2

NEW_SETTINGS: Final = {
    "id": 1,
    "policy_hash": None,
    "hold_from": 0,
    "hold_until": 0,
    "pause": RUNNING,
    "decisions": 0,
}
"""Settings of a database whose payouts have never run: nothing signed, nothing held."""


class Mark(NamedTuple):
    """How far a database has come; that of a restored one is lower."""

    decisions: int  # number of the operator's decisions
    payments: int  # number of the newest signed payment


_s = payout_schema.settings


def count_decision(connection: Connection) -> None:
    """Count a decision of the operator."""
    _update(connection, decisions=_s.c.decisions + 1)


def set_pause(connection: Connection, pause: int) -> None:
    """Pause or resume payouts: RUNNING, BY_OPERATOR or AFTER_RESTORE."""
    _update(connection, pause=pause)


def pause_at_next_start(connection: Connection) -> None:
    """Pause payouts on a restored database."""
    count_decision(connection)
    set_pause(connection, AFTER_RESTORE)


def read_pause(connection: Connection) -> int:
    """Whether payouts are paused, and why: RUNNING, BY_OPERATOR or AFTER_RESTORE."""
    return connection.scalar(select(_s.c.pause)) or RUNNING


def read_mark(connection: Connection) -> Mark:
    """The mark of a database."""
    decisions = connection.scalar(select(_s.c.decisions))
    payments = connection.scalar(select(func.max(payout_schema.transactions.c.n)))
    return Mark(decisions or 0, payments or 0)


def _update(connection: Connection, **values: object) -> None:
    if not connection.execute(update(_s).values(**values)).rowcount:
        connection.execute(insert(_s).values(NEW_SETTINGS))
        connection.execute(update(_s).values(**values))
