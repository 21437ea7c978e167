"""What the live stream asks: the blocks of ours one after the other, and where it starts from.

Only primary keys are used to follow, so that it works while catching up, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from settlement.store import schema
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.open_at_block import IS_OPEN, OPEN_OF_PAIRS, past_values, was_open, with_progress
from settlement.store.read.position import Past
from settlement.store.read.wide_sums import sum_parts, whole


class OurBlock(NamedTuple):
    """A block of ours: its place, the last numbers given up to its end, and its lines, each with its LF."""

    past: Past
    lines: str


class OpenOrder(NamedTuple):
    """An order that was open at the end of a block. Ticks and base units."""

    id: str
    seq: int
    pair_id: int
    is_buy: bool
    price: int
    remaining: int


class OpenClaim(NamedTuple):
    """A withdrawal that was pending, or a refund that was due, at the end of a block."""

    id: str
    n: int


_MOST_PRICES: Final = 500
"""In one statement."""

_b, _o = schema.blocks.c, schema.orders.c
_place = [_b[name] for name in Past._fields]
_AFTER = (
    select(*_place, func.coalesce(schema.journal.c.lines, ""))
    .select_from(schema.blocks)
    .outerjoin(schema.journal, schema.journal.c.block == _b.number)
    .where(_b.number > bindparam("number"))
    .order_by(_b.number)
    .limit(bindparam("rows"))
)
_PLACES = select(*_place).order_by(_b.number.desc()).limit(1)
_BEFORE = _PLACES.offset(bindparam("back"))
_BEFORE_TIME = _PLACES.where(_b.number < bindparam("number"), _b.timestamp < bindparam("timestamp"))
_ORDERS = with_progress(
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
_PENDING = was_open(select(_w.id, _w.n), schema.withdrawals, _w.n, "last_withdrawal")
_DUE = was_open(select(_r.id, _r.n), schema.refunds, _r.n, "last_refund")
_LEVELS = (
    select(_o.price, *sum_parts(_o.remaining), func.count())
    .where(
        IS_OPEN,
        _o.pair_id == bindparam("pair"),
        _o.is_buy == bindparam("is_buy"),
        _o.price.in_(bindparam("prices", expanding=True)),
    )
    .group_by(_o.price)
)


def read_our_blocks(connection: Connection, after: int, limit: int) -> list[OurBlock]:
    """The first blocks of ours after block number `after`, in order."""
    rows = connection.execute(_AFTER, {"number": after, "rows": limit})
    return [OurBlock(Past(*place), lines) for *place, lines in rows]


def read_back(connection: Connection, count: int) -> Past | None:
    """The block of ours that has `count` newer ones; None where there are not as many."""
    row = connection.execute(_BEFORE, {"back": count}).one_or_none()
    return None if row is None else Past(*row)


def read_before(connection: Connection, number: int, timestamp: int) -> Past | None:
    """The newest block of ours before block `number` and before a moment."""
    row = connection.execute(_BEFORE_TIME, {"number": number, "timestamp": timestamp}).one_or_none()
    return None if row is None else Past(*row)


def read_open_orders(connection: Connection, past: Past, pair_ids: Sequence[int]) -> Iterator[OpenOrder]:
    """All orders that were open at the end of that block, in no order."""
    rows = connection.execute(_ORDERS, {**past_values(past), "pairs": pair_ids})
    return (OpenOrder(*row) for row in rows)


def read_open_claims(connection: Connection, past: Past, is_refund: bool) -> list[OpenClaim]:
    """The refunds that were due at the end of that block, or the withdrawals that were pending."""
    rows = connection.execute(_DUE if is_refund else _PENDING, past_values(past))
    return [OpenClaim(*row) for row in rows]


def read_levels_at(
    connection: Connection, pair_id: int, is_buy: bool, prices: Sequence[int]
) -> Mapping[int, LevelRow]:
    """The levels that stand at these prices now, by price; prices where nothing stands are left out."""
    found = {}
    for first in range(0, len(prices), _MOST_PRICES):
        some = prices[first : first + _MOST_PRICES]
        rows = connection.execute(_LEVELS, {"pair": pair_id, "is_buy": is_buy, "prices": some})
        found.update({price: LevelRow(price, whole(high, low), count) for price, high, low, count in rows})
    return found
