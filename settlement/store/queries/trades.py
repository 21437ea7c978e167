"""Trades, newest first: those of a pair, or those of an order."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Select, bindparam, select

from settlement.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.queries.paging import Page, cut


class TradeRow(NamedTuple):
    n: int
    block: int
    timestamp: int
    taker_is_buy: bool
    price: int
    quantity: int
    quote_amount: int
    buyer_fee: int
    seller_fee: int
    taker_id: str
    maker_id: str


_t = schema.trades.c
_taker, _maker = schema.orders.alias("taker_order"), schema.orders.alias("maker_order")
_taker_intent, _maker_intent = schema.intents.alias("taker_intent"), schema.intents.alias("maker_intent")
_TRADES = (
    select(
        _t.n,
        _t.block,
        schema.blocks.c.timestamp,
        _t.taker_is_buy,
        _t.price,
        _t.quantity,
        _t.quote_amount,
        _t.buyer_fee,
        _t.seller_fee,
        _taker_intent.c.id,
        _maker_intent.c.id,
    )
    .select_from(schema.trades)
    .join(schema.blocks, schema.blocks.c.number == _t.block)
    .join(_taker, _taker.c.seq == _t.taker)
    .join(_maker, _maker.c.seq == _t.maker)
    .join(_taker_intent, _taker_intent.c.n == _taker.c.intent)
    .join(_maker_intent, _maker_intent.c.n == _maker.c.intent)
    .order_by(_t.n.desc())
    .limit(bindparam("rows"))
)
_OF_PAIR = _TRADES.where(_t.pair_id == bindparam("pair"), _t.n < bindparam("before"))


def _newest_of(role: Column[Any]) -> Select[tuple[int]]:
    """An order's newest trades in one role: each role has an index, which ends with the trade's number."""
    newest = select(_t.n).where(role == bindparam("seq"), _t.n < bindparam("before"))
    return select(newest.order_by(_t.n.desc()).limit(bindparam("rows")).subquery().c.n)


_OF_ORDER = _TRADES.where(_t.n.in_(_newest_of(_t.taker).union_all(_newest_of(_t.maker))))
_LAST = _TRADES.where(_t.n == bindparam("n"))


def list_trades(connection: Connection, pair_id: int, before: int | None, limit: int) -> Page[TradeRow]:
    """A pair's trades, newest first."""
    return _page(connection, _OF_PAIR, {"pair": pair_id}, before, limit)


def list_order_trades(connection: Connection, seq: int, before: int | None, limit: int) -> Page[TradeRow]:
    """An order's trades, as taker and as maker, newest first."""
    return _page(connection, _OF_ORDER, {"seq": seq}, before, limit)


def find_trade(connection: Connection, n: int) -> TradeRow | None:
    row = connection.execute(_LAST, {"n": n, "rows": 1}).one_or_none()
    return None if row is None else TradeRow(*row)


def _page(
    connection: Connection, statement: Select[Any], chosen: dict[str, int], before: int | None, limit: int
) -> Page[TradeRow]:
    values = {**chosen, "before": MAX_UNITS if before is None else before, "rows": limit + 1}
    rows = [TradeRow(*row) for row in connection.execute(statement, values)]
    return cut(rows, limit, lambda row: row.n)
