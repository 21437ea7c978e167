"""Trades of a pair, an order or an account, newest first; and streams of trades, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    TextClause,
    bindparam,
    case,
    or_,
    select,
    text,
    union_all,
)

from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.read.accounts.orders import PROTECTIVE
from settlement.store.read.bulk_query import BulkQuery
from settlement.store.read.key_ranges import FETCH_ROWS, KeyRange
from settlement.store.read.paging import MAX_SCANNED_ROWS, Page, make_page


class TradeRow(NamedTuple):
    """A trade with the ids of its orders."""

    n: int
    block: int
    timestamp: int
    taker_is_buy: bool
    price: int  # ticks
    quantity: int  # base units
    quote_amount: int  # quote units
    buyer_fee: int  # base units
    seller_fee: int  # quote units
    taker_id: str
    maker_id: str


class AccountTradeRow(NamedTuple):
    """A trade of an account."""

    trade: TradeRow
    pair_id: int
    is_taker: bool
    is_maker: bool  # also True, with is_taker, in a self-trade


class PartiesRow(NamedTuple):
    """A trade with the names of the traders."""

    trade: TradeRow
    pair_id: int
    taker: str
    maker: str


class TradeFilter(NamedTuple):
    """Filter of trades; None matches any."""

    account_id: int | None = None
    pair_id: int | None = None


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
        # A market order never rests, so a maker is never the order of a protective stop.
        case((_taker.c.protective, _taker_intent.c.id + PROTECTIVE), else_=_taker_intent.c.id),
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
_OF_PAIR = BulkQuery(_TRADES.where(_t.pair_id == bindparam("pair"), _t.n < bindparam("before")))


def _newest_of(role: Column[Any]) -> Select[tuple[int]]:
    """An order's newest trades in one role; each role has an index in the order of trades."""
    newest = select(_t.n).where(role == bindparam("seq"), _t.n < bindparam("before"))
    return select(newest.order_by(_t.n.desc()).limit(bindparam("rows")).subquery().c.n)


_OF_ORDER = BulkQuery(_TRADES.where(_t.n.in_(_newest_of(_t.taker).union_all(_newest_of(_t.maker)))))
_LAST = _TRADES.where(_t.n == bindparam("n"))
_OF_ACCOUNTS = _TRADES.add_columns(_t.pair_id, _t.taker_account_id, _t.maker_account_id)
_CHOSEN = _OF_ACCOUNTS.where(_t.n.in_(bindparam("numbers", expanding=True))).limit(None)
_taker_account, _maker_account = schema.accounts.alias("taker_name"), schema.accounts.alias("maker_name")
_PARTIES = (
    _TRADES.add_columns(_t.pair_id, _taker_account.c.name, _maker_account.c.name)
    .join(_taker_account, _taker_account.c.id == _t.taker_account_id)
    .join(_maker_account, _maker_account.c.id == _t.maker_account_id)
    .order_by(None)
    .order_by(_t.n)
    .limit(None)
)
_account, _before = bindparam("account", type_=_t.n.type), bindparam("before", type_=_t.n.type)
_NO_SELF_TRADE = text("maker_account_id <> taker_account_id")  # literally as in the partial index


def _of_side(*conditions: ColumnElement[bool] | TextClause) -> Select[Any]:
    return select(_t.n, _t.pair_id).where(*conditions, _t.n < _before)


# Each side has an index in the order of trades: the database merges them lazily.
_sides = union_all(
    _of_side(_t.taker_account_id == _account), _of_side(_t.maker_account_id == _account, _NO_SELF_TRADE)
)
_NEWEST_OF_ACCOUNT = _sides.order_by(_sides.selected_columns.n.desc()).limit(bindparam("rows"))
_in_range = _t.n.between(bindparam("first", type_=_t.n.type), bindparam("last", type_=_t.n.type))


def _oldest_of_side(*conditions: ColumnElement[bool] | TextClause) -> Select[tuple[int]]:
    oldest = select(_t.n).where(*conditions, _in_range).order_by(_t.n).limit(bindparam("rows"))
    return select(oldest.subquery().c.n)


_OLDEST_OF_ACCOUNT = _OF_ACCOUNTS.where(
    _t.n.in_(
        _oldest_of_side(_t.taker_account_id == _account).union_all(
            _oldest_of_side(_t.maker_account_id == _account, _NO_SELF_TRADE)
        )
    )
).order_by(None)  # the newest first
_OLDEST_OF_ACCOUNT = _OLDEST_OF_ACCOUNT.order_by(_t.n)
_WITH_FEES = (
    _TRADES.add_columns(_t.pair_id)
    .where(_in_range, or_(_t.buyer_fee > 0, _t.seller_fee > 0))
    .order_by(None)
    .order_by(_t.n)
)


def list_trades(connection: Connection, pair_id: int, before: int | None, limit: int) -> Page[TradeRow]:
    """A pair's trades, newest first."""
    return _page(connection, _OF_PAIR, {"pair": pair_id}, before, limit)


def list_order_trades(connection: Connection, seq: int, before: int | None, limit: int) -> Page[TradeRow]:
    """An order's trades, as taker and as maker, newest first."""
    return _page(connection, _OF_ORDER, {"seq": seq}, before, limit)


def list_account_trades(
    connection: Connection,
    account_id: int,
    pair_id: int | None,
    before: int | None,
    limit: int,
    *,
    scan_limit: int = MAX_SCANNED_ROWS,
) -> Page[AccountTradeRow]:
    """An account's trades, as taker and as maker, newest first; of one pair, if `pair_id` is given.

    With a pair, a page scans at most `scan_limit` trades: it can hold fewer than `limit`, even none,
    and still have a next page.
    """
    numbers, next_key = _newest_of_account(connection, account_id, pair_id, before, limit, scan_limit)
    return Page(_of_account(connection.execute(_CHOSEN, {"numbers": numbers}), account_id), next_key)


def next_account_trades(
    connection: Connection, account_id: int, keys: KeyRange, rows: int
) -> list[AccountTradeRow]:
    """The first `rows` trades of an account in a key range, oldest first."""
    values = {"account": account_id, "first": keys.first, "last": keys.last, "rows": rows}
    return _of_account(connection.execute(_OLDEST_OF_ACCOUNT, values), account_id)


def next_trades_with_fees(connection: Connection, keys: KeyRange, rows: int) -> list[tuple[TradeRow, int]]:
    """The first `rows` trades in a key range of which a fee was paid, oldest first, with their pairs."""
    values = {"first": keys.first, "last": keys.last, "rows": rows}
    found: Iterable[Sequence[Any]] = connection.execute(_WITH_FEES, values)
    return [(TradeRow(*trade), pair) for *trade, pair in found]


def _of_account(found: Iterable[Sequence[Any]], account_id: int) -> list[AccountTradeRow]:
    return [
        AccountTradeRow(TradeRow(*trade), pair, taker == account_id, maker == account_id)
        for *trade, pair, taker, maker in found
    ]


def _newest_of_account(
    connection: Connection,
    account_id: int,
    pair_id: int | None,
    before: int | None,
    limit: int,
    scan_limit: int,
) -> tuple[list[int], int | None]:
    """The numbers of a page's trades, and the key of the next page. Reads no further than necessary."""
    values = {
        "account": account_id,
        "before": MAX_UNITS if before is None else before,
        "rows": scan_limit,
    }
    numbers: list[int] = []
    last, scanned = None, 0
    with connection.execute(_NEWEST_OF_ACCOUNT.execution_options(yield_per=limit + 1), values) as newest:
        for n, pair in newest:
            if pair_id in (None, pair):
                if len(numbers) == limit:
                    return numbers, numbers[-1]
                numbers.append(n)
            last, scanned = n, scanned + 1
    return numbers, last if scanned == scan_limit else None


def stream_trades(connection: Connection, filter_: TradeFilter, keys: KeyRange) -> Iterator[PartiesRow]:
    """Stream the trades in a key range, oldest first."""
    conditions: list[ColumnElement[bool]] = [_t.n.between(*keys)]
    if filter_.pair_id is not None:
        conditions.append(_t.pair_id == filter_.pair_id)
    if filter_.account_id is not None:
        account = filter_.account_id
        conditions.append(or_(_t.taker_account_id == account, _t.maker_account_id == account))
    statement = _PARTIES.where(*conditions).execution_options(yield_per=FETCH_ROWS)
    for *trade, pair_id, taker, maker in connection.execute(statement):
        yield PartiesRow(TradeRow(*trade), pair_id, taker, maker)


def find_trade(connection: Connection, n: int) -> TradeRow | None:
    row = connection.execute(_LAST, {"n": n, "rows": 1}).one_or_none()
    return None if row is None else TradeRow(*row)


def _page(
    connection: Connection, statement: BulkQuery, chosen: dict[str, int], before: int | None, limit: int
) -> Page[TradeRow]:
    values = {**chosen, "before": MAX_UNITS if before is None else before, "rows": limit + 1}
    rows = [TradeRow(*row) for row in statement.rows(connection, values)]
    return make_page(rows, limit, lambda row: row.n)
