"""Grants in force: of an account now, or all at the end of a past block; and a stream of all ever given.

The row of a grant that ends by its `until` is closed in the next active block: `until` is compared as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from settlement.core.journal import state_lines
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, KeyRange
from settlement.store.read.open_at_block import is_open, parameters_at, was_open
from settlement.store.read.paging import Page, make_page
from settlement.store.read.position import ActiveBlock


class PastGrantRow(NamedTuple):
    """A grant in force or ended. Amounts are units by symbol."""

    n: int
    account: str  # encoded
    to: str  # posting, or an account, encoded
    until: int
    band_bps: int
    pairs: str  # BASE/QUOTE, comma between, sorted
    per_day: dict[str, int]
    block: int
    timestamp: int
    closed_block: int | None  # None while it is in force; of one that ran out the next active block
    closed_timestamp: int | None


class GrantRow(NamedTuple):
    """A grant in force. Amounts are units by symbol."""

    n: int
    account: str  # encoded
    to: str  # posting, or an account, encoded
    until: int
    band_bps: int
    pairs: list[str]  # BASE/QUOTE
    per_day: dict[str, int]
    day: int | None  # Unix seconds // 86400 of the last order that counted
    used: dict[str, int]  # on that day
    block: int  # in which it was given
    timestamp: int


_g, _u, _b = schema.grants.c, schema.grant_usage.c, schema.blocks.c
_name = schema.accounts.c.name
_newest = schema.grant_usage.alias("newest")


def _join_usage(statement: Select[Any], *conditions: Any) -> Select[Any]:
    """Outer join of what was counted last."""
    newest = select(func.max(_newest.c.block)).where(_newest.c.grant_n == _g.n, *conditions)
    return statement.outerjoin(
        schema.grant_usage, and_(_u.grant_n == _g.n, _u.block == newest.scalar_subquery())
    )


_IN_FORCE = (
    _join_usage(
        select(
            *(_g.n, _name, _g.to, _g.until, _g.band_bps, _g.pairs, _g.per_day, _u.day, _u.used),
            *(_g.block, _b.timestamp),
        )
        .select_from(schema.grants)
        .join(schema.accounts, schema.accounts.c.id == _g.account_id)
        .join(schema.blocks, _b.number == _g.block)
    )
    .where(is_open(_g.status), _g.until > bindparam("now"))
    .order_by(_g.n.desc())
)
_GIVEN_BY = _IN_FORCE.where(_g.account_id == bindparam("account"))
_GIVEN_TO = _IN_FORCE.where(_g.to == bindparam("to"), _g.n < bindparam("before")).limit(bindparam("rows"))
_was_in_force = was_open(select(_g.n), schema.grants, _g.n, "last_grant").subquery("was_in_force")
_AT_BLOCK = _join_usage(
    select(_name, _g.to, _g.until, _g.band_bps, _g.pairs, _g.per_day, _u.day, _u.used)
    .select_from(_was_in_force)
    .join(schema.grants, _g.n == _was_in_force.c.n)
    .join(schema.accounts, schema.accounts.c.id == _g.account_id),
    _newest.c.block <= bindparam("past_block"),
).where(_g.until > bindparam("now"))


def read_grants(connection: Connection, account_id: int, now: int) -> list[GrantRow]:
    """The grants that an account has given, newest first; there are few (protocol, section 6)."""
    return [_grant(row) for row in connection.execute(_GIVEN_BY, {"account": account_id, "now": now})]


def list_grants_to(
    connection: Connection, to: str, now: int, before: int | None, limit: int
) -> Page[GrantRow]:
    """A page of the grants given to an account, by its encoded name; newest first."""
    values = {"to": to, "now": now, "before": MAX_UNITS if before is None else before, "rows": limit + 1}
    return make_page([_grant(row) for row in connection.execute(_GIVEN_TO, values)], limit, lambda row: row.n)


def read_grants_at(connection: Connection, past: ActiveBlock, now: int) -> list[state_lines.Grant]:
    """All grants in force at time `now`, by account and `to`; `past` is the newest active block by then."""
    rows = connection.execute(_AT_BLOCK, {**parameters_at(past), "now": now})
    return sorted(state_lines.Grant(*row) for row in rows)


_closed = schema.blocks.alias("closed")
_HISTORY: Select[Any] = (
    select(
        *(_g.n, _name, _g.to, _g.until, _g.band_bps, _g.pairs, _g.per_day, _g.block, _b.timestamp),
        *(_g.closed_block, _closed.c.timestamp),
    )
    .select_from(schema.grants)
    .join(schema.accounts, schema.accounts.c.id == _g.account_id)
    .join(schema.blocks, _b.number == _g.block)
    .outerjoin(_closed, _closed.c.number == _g.closed_block)
    .order_by(_g.n)
)


def stream_grants(
    connection: Connection, account_id: int | None, keys: KeyRange, block: int
) -> Iterator[PastGrantRow]:
    """Stream the grants in a key range, oldest first, at the end of a block by which all were given.

    With an account, only those that it has given.
    """
    statement = _HISTORY.where(_g.n.between(*keys))
    if account_id is not None:
        statement = statement.where(_g.account_id == account_id)
    for row in connection.execute(statement.execution_options(yield_per=FETCH_ROWS)):
        grant = PastGrantRow(*row)._replace(per_day=_amounts(row.per_day))
        if grant.closed_block is not None and grant.closed_block > block:
            grant = grant._replace(closed_block=None, closed_timestamp=None)
        yield grant


def _grant(row: Any) -> GrantRow:
    return GrantRow(
        n=row.n,
        account=row.name,
        to=row.to,
        until=row.until,
        band_bps=row.band_bps,
        pairs=row.pairs.split(","),
        per_day=_amounts(row.per_day),
        day=row.day,
        used=_amounts(row.used),
        block=row.block,
        timestamp=row.timestamp,
    )


def _amounts(text: str | None) -> dict[str, int]:
    """SYMBOL:units, comma between."""
    entries = (entry.partition(":") for entry in (text or "").split(",") if entry)
    return {symbol: int(units) for symbol, _, units in entries}
