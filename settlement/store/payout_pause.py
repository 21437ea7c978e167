"""Pause of payouts, in the database. It is written by payouts and by a restore alone."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, case, func, insert, select, update

from settlement.store import payout_schema, schema

RUNNING: Final = 0
BY_OPERATOR: Final = 1
AFTER_RESTORE: Final = 2
BY_WATCH: Final = 3

NEW_SETTINGS: Final = {
    "id": 1,
    "policy_hash": None,
    "hold_from": 0,
    "hold_until": 0,
    "pause": RUNNING,
    "pause_reason": None,
    "outflows_seen": None,
    "decisions": 0,
}
"""Settings of a database whose payouts have never run: nothing signed, nothing held."""


MAX_OUTFLOWS: Final = 100
"""Unmatched outflows named at a time."""


class Mark(NamedTuple):
    """How far a database has come; that of a restored one is lower."""

    decisions: int  # number of the operator's decisions
    payments: int  # number of the newest signed payment


_s = payout_schema.settings
_MARK = select(
    select(_s.c.decisions).scalar_subquery(),
    select(func.max(payout_schema.transactions.c.n)).scalar_subquery(),
)


def count_decision(connection: Connection, after: int = 0) -> None:
    """Count a decision of the operator, or of the escrow watch; the new number is above `after`."""
    _update(connection, decisions=case((_s.c.decisions > after, _s.c.decisions), else_=after) + 1)


def set_pause(connection: Connection, pause: int, reason: str | None = None) -> None:
    """Pause or resume payouts: RUNNING, BY_OPERATOR, AFTER_RESTORE, or BY_WATCH with a reason."""
    _update(connection, pause=pause, pause_reason=reason)


def pause_at_next_start(connection: Connection) -> None:
    """Pause payouts on a restored database."""
    count_decision(connection)
    set_pause(connection, AFTER_RESTORE)


def read_pause(connection: Connection) -> int:
    """Whether payouts are paused, and why: RUNNING, BY_OPERATOR, AFTER_RESTORE or BY_WATCH."""
    return connection.scalar(select(_s.c.pause)) or RUNNING


def read_watch_reason(connection: Connection) -> str | None:
    """Why the escrow watch has paused payouts; None where it has not."""
    return connection.scalar(select(_s.c.pause_reason).where(_s.c.pause == BY_WATCH))


def new_outflows(connection: Connection) -> list[Row[Any]]:
    """Unmatched outflows that the escrow watch has not seen, oldest first; none before its first look."""
    seen = select(_s.c.outflows_seen).scalar_subquery()
    o = schema.outflows
    return list(connection.execute(select(o).where(o.c.n > seen).order_by(o.c.n).limit(MAX_OUTFLOWS)))


def see_outflows(connection: Connection) -> None:
    """Remember the newest unmatched outflow as seen."""
    newest = connection.scalar(select(func.max(schema.outflows.c.n))) or 0
    _update(connection, outflows_seen=newest)


def read_mark(connection: Connection) -> Mark:
    """The mark of a database."""
    decisions, payments = connection.execute(_MARK).one()
    return Mark(decisions or 0, payments or 0)


def _update(connection: Connection, **values: object) -> None:
    if not connection.execute(update(_s).values(**values)).rowcount:
        connection.execute(insert(_s).values(NEW_SETTINGS))
        connection.execute(update(_s).values(**values))
