"""Pause of payouts, in the database. The tables of payouts are written by payouts and by a restore alone."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from settlement.store import payout_schema

BY_OPERATOR: Final = 0
AFTER_RESTORE: Final = 1
_SWITCH: Final = 3
"""In decisions, beside the kinds of claims and tokens: the pause. `since` counts the operator's decisions."""


class Mark(NamedTuple):
    """How far a database has come; that of a restored one is lower."""

    decisions: int  # number of the operator's decisions
    payments: int  # number of the newest signed payment


_d, _s = payout_schema.decisions, payout_schema.settings
_IS_SWITCH = (_d.c.kind == _SWITCH) & (_d.c.claim == 0)


def count_decision(connection: Connection, cause: int | None = None) -> None:
    """Count a decision of the operator. `cause`: of a pause; None keeps it."""
    row = connection.execute(select(_d.c.decision, _d.c.since).where(_IS_SWITCH)).one_or_none()
    count, last = (0, BY_OPERATOR) if row is None else (row.since or 0, row.decision)
    connection.execute(delete(_d).where(_IS_SWITCH))
    values = {"decision": last if cause is None else cause, "since": count + 1}
    connection.execute(insert(_d).values(kind=_SWITCH, claim=0, **values))


def set_paused(connection: Connection, paused: bool, cause: int = BY_OPERATOR) -> None:
    """Pause or resume payouts."""
    if not connection.execute(update(_s).values(paused=paused)).rowcount:
        values = {"policy_hash": None, "hold_from": 0, "hold_until": 0, "paused": paused}
        connection.execute(insert(_s).values(id=1, **values))
    count_decision(connection, cause)


def pause_at_next_start(connection: Connection) -> None:
    """Mark a restored database, so that payouts start paused. Nothing else is changed."""
    count_decision(connection, AFTER_RESTORE)


def pause_cause(connection: Connection) -> int | None:
    """Why payouts are paused, or start so: BY_OPERATOR or AFTER_RESTORE; None where they are not."""
    if connection.scalar(select(_d.c.decision).where(_IS_SWITCH)) == AFTER_RESTORE:
        return AFTER_RESTORE
    return BY_OPERATOR if connection.scalar(select(_s.c.paused)) else None


def read_mark(connection: Connection) -> Mark:
    """The mark of a database."""
    decisions = connection.scalar(select(_d.c.since).where(_IS_SWITCH))
    payments = connection.scalar(select(func.max(payout_schema.transactions.c.n)))
    return Mark(decisions or 0, payments or 0)
