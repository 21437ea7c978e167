"""Queries of the listing feeds (CoinGecko and others): trades by side, and single resting orders."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from settlement.store import schema
from settlement.store.read.open_at_block import IS_OPEN
from settlement.store.read.paging import MAX_SCANNED_ROWS


class TapeRow(NamedTuple):
    """A trade without its orders."""

    n: int
    timestamp: int
    taker_is_buy: bool
    price: int  # ticks
    quantity: int  # base units
    quote_amount: int  # quote units


class RestingRow(NamedTuple):
    """An open order."""

    price: int  # ticks
    remaining: int  # base units


_t, _o = schema.trades.c, schema.orders.c
# There is no index on the side: this many of the newest trades are scanned.
_window = (
    select(_t.n, _t.block, _t.taker_is_buy, _t.price, _t.quantity, _t.quote_amount)
    .where(_t.pair_id == bindparam("pair"), _t.n >= bindparam("first"), _t.n <= bindparam("last"))
    .order_by(_t.n.desc())
    .limit(MAX_SCANNED_ROWS)
    .subquery()
)
_TAPE = (
    select(
        _window.c.n,
        schema.blocks.c.timestamp,
        *(_window.c[name] for name in ("taker_is_buy", "price", "quantity", "quote_amount")),
    )
    .join(schema.blocks, schema.blocks.c.number == _window.c.block)
    .order_by(_window.c.n.desc())
    .limit(bindparam("rows"))
)
_TAPE_OF_SIDE = _TAPE.where(_window.c.taker_is_buy == bindparam("is_buy"))


def list_tape(
    connection: Connection, pair_id: int, first: int, last: int, is_buy: bool | None, limit: int
) -> list[TapeRow]:
    """The newest `limit` trades of a pair among those numbered `first` to `last`, newest first.

    With `is_buy`, only trades with takers of that side, among the newest `MAX_SCANNED_ROWS`.
    """
    values = {"pair": pair_id, "first": first, "last": last, "rows": limit}
    if is_buy is None:
        return [TapeRow(*row) for row in connection.execute(_TAPE, values)]
    return [TapeRow(*row) for row in connection.execute(_TAPE_OF_SIDE, {**values, "is_buy": is_buy})]


def _resting(is_buy: bool) -> Select[Any]:
    best_first = _o.price.desc() if is_buy else _o.price
    return (
        select(_o.price, _o.remaining)
        .where(IS_OPEN, _o.pair_id == bindparam("pair"), _o.is_buy == is_buy)
        .order_by(best_first, _o.seq)
        .limit(bindparam("rows"))
    )


_RESTING = {is_buy: _resting(is_buy) for is_buy in (True, False)}


def list_resting(connection: Connection, pair_id: int, is_buy: bool, limit: int) -> list[RestingRow]:
    """The open orders of one side in the order in which they would trade."""
    values = {"pair": pair_id, "rows": limit}
    return [RestingRow(*row) for row in connection.execute(_RESTING[is_buy], values)]
