"""Armed cancel-all timers: of an account now, or all at the end of a past block."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, or_, select

from settlement.core.journal import state_lines
from settlement.store import schema
from settlement.store.read.accounts.grants import read_grants_at
from settlement.store.read.open_at_block import is_open, parameters_at, was_open
from settlement.store.read.position import ActiveBlock


class TimerRow(NamedTuple):
    """An armed cancel-all timer."""

    n: int
    by: str  # active, posting or a grantee's name
    due: int
    block: int  # in which it was set
    timestamp: int


_t, _g, _b = schema.timers.c, schema.grants.c, schema.blocks.c
# A timer ends with its grant, whose row is closed only in the next active block.
_grant_in_force = (
    select(_g.n)
    .where(is_open(_g.status), _g.account_id == _t.account_id, _g.to == _t.by, _g.until > bindparam("now"))
    .exists()
)
_OF_ACCOUNT = (
    select(_t.n, _t.by, _t.due, _t.block, _b.timestamp)
    .join(schema.blocks, _b.number == _t.block)
    .where(
        is_open(_t.status),
        _t.account_id == bindparam("account"),
        or_(_t.by == "active", _grant_in_force),
    )
    .order_by(_t.n)
)
_was_armed = was_open(select(_t.n), schema.timers, _t.n, "last_timer").subquery("was_armed")
_AT_BLOCK = (
    select(schema.accounts.c.name, _t.by, _t.due)
    .select_from(_was_armed)
    .join(schema.timers, _t.n == _was_armed.c.n)
    .join(schema.accounts, schema.accounts.c.id == _t.account_id)
)


def read_timers(connection: Connection, account_id: int, now: int) -> list[TimerRow]:
    """The armed timers of an account, oldest first: at most one for each way of signing."""
    rows = connection.execute(_OF_ACCOUNT, {"account": account_id, "now": now})
    return [TimerRow(*row) for row in rows]


def read_timers_at(connection: Connection, past: ActiveBlock, now: int) -> list[state_lines.Timer]:
    """All armed timers at time `now`, by account and `by`; `past` is the newest active block by then."""
    grants = {(grant.account, grant.to) for grant in read_grants_at(connection, past, now)}
    timers = (state_lines.Timer(*row) for row in connection.execute(_AT_BLOCK, parameters_at(past)))
    return sorted(each for each in timers if each.by == "active" or (each.account, each.by) in grants)
