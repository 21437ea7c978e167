"""Queries of the live stream: active blocks in order, and the snapshot that a stream starts from.

Following uses primary keys only, so it works during catching up, before the secondary indexes exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from settlement.store import schema
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.open_at_block import (
    IS_OPEN,
    OPEN_OF_PAIRS,
    join_progress,
    parameters_at,
    was_open,
)
from settlement.store.read.position import ActiveBlock
from settlement.store.read.wide_sums import join_parts, sum_parts


class StreamBlock(NamedTuple):
    """An active block with its journal lines."""

    past: ActiveBlock
    lines: str  # each ends with LF


class OpenOrder(NamedTuple):
    """An order that was open at the end of a block."""

    id: str
    seq: int
    pair_id: int
    is_buy: bool
    price: int  # ticks
    remaining: int  # base units


class OpenClaim(NamedTuple):
    """A withdrawal or refund that was pending at the end of a block."""

    id: str
    n: int


_MAX_PRICES: Final = 500
"""Prices in one statement at most."""

_b, _o = schema.blocks.c, schema.orders.c
_active_block = [_b[name] for name in ActiveBlock._fields]
_AFTER = (
    select(*_active_block, func.coalesce(schema.journal.c.lines, ""))
    .select_from(schema.blocks)
    .outerjoin(schema.journal, schema.journal.c.block == _b.number)
    .where(_b.number > bindparam("number"))
    .order_by(_b.number)
    .limit(bindparam("rows"))
)
_NEWEST = select(*_active_block).order_by(_b.number.desc()).limit(1)
_NTH_NEWEST = _NEWEST.offset(bindparam("newer"))
_NEWEST_BEFORE = _NEWEST.where(_b.number < bindparam("number"), _b.timestamp < bindparam("timestamp"))
_ORDERS = join_progress(
    select(
        schema.intents.c.id,
        _o.seq,
        _o.pair_id,
        _o.is_buy,
        _o.price,
        func.coalesce(schema.order_changes.c.remaining, _o.quantity),
    )
    .select_from(schema.orders)
    .join(schema.intents, schema.intents.c.n == _o.intent)
).where(_o.seq.in_(OPEN_OF_PAIRS))
_w, _r = schema.withdrawals.c, schema.refunds.c
_WITHDRAWALS = was_open(select(_w.id, _w.n), schema.withdrawals, _w.n, "last_withdrawal")
_REFUNDS = was_open(select(_r.id, _r.n), schema.refunds, _r.n, "last_refund")
_LEVELS = (
    select(_o.price, *sum_parts(_o.remaining), func.count().label("orders"))
    .where(
        IS_OPEN,
        _o.pair_id == bindparam("pair"),
        _o.is_buy == bindparam("is_buy"),
        _o.price.in_(bindparam("prices", expanding=True)),
    )
    .group_by(_o.price)
)


def read_active_blocks(connection: Connection, after: int, limit: int) -> list[StreamBlock]:
    """The first active blocks after block number `after`, in order."""
    rows = connection.execute(_AFTER, {"number": after, "rows": limit})
    return [StreamBlock(ActiveBlock(*block), lines) for *block, lines in rows]


def read_nth_newest_block(connection: Connection, newer: int) -> ActiveBlock | None:
    """The active block that has `newer` newer ones; None if there are fewer."""
    row = connection.execute(_NTH_NEWEST, {"newer": newer}).one_or_none()
    return None if row is None else ActiveBlock(*row)


def read_newest_block_before(connection: Connection, number: int, timestamp: int) -> ActiveBlock | None:
    """The newest active block with a lower number and an earlier time."""
    row = connection.execute(_NEWEST_BEFORE, {"number": number, "timestamp": timestamp}).one_or_none()
    return None if row is None else ActiveBlock(*row)


def read_open_orders(
    connection: Connection, past: ActiveBlock, pair_ids: Sequence[int]
) -> Iterator[OpenOrder]:
    """All orders of these pairs that were open at the end of the block, unordered."""
    rows = connection.execute(_ORDERS, {**parameters_at(past), "pairs": pair_ids})
    return (OpenOrder(*row) for row in rows)


def read_open_claims(connection: Connection, past: ActiveBlock, is_refund: bool) -> list[OpenClaim]:
    """The refunds, or withdrawals, that were pending at the end of the block."""
    rows = connection.execute(_REFUNDS if is_refund else _WITHDRAWALS, parameters_at(past))
    return [OpenClaim(*row) for row in rows]


def read_levels_at(
    connection: Connection, pair_id: int, is_buy: bool, prices: Sequence[int]
) -> Mapping[int, LevelRow]:
    """The current levels at these prices, by price; prices without orders are left out."""
    levels = {}
    for first in range(0, len(prices), _MAX_PRICES):
        chunk = prices[first : first + _MAX_PRICES]
        values = {"pair": pair_id, "is_buy": is_buy, "prices": chunk}
        for row in connection.execute(_LEVELS, values):
            levels[row.price] = LevelRow(row.price, join_parts(row.high, row.low), row.orders)
    return levels
