"""Orders and stops: lists, newest first, single ones and streams; now, or at the end of a past block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select

from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, KeyRange
from settlement.store.read.open_at_block import (
    IS_OPEN,
    IS_WAITING,
    OPEN_OF_ACCOUNT,
    OPEN_OF_PAIRS,
    WAITING_OF_ACCOUNT,
    WAITING_OF_PAIRS,
    join_progress,
    parameters_at,
)
from settlement.store.read.paging import MAX_SCANNED_ROWS, Page, make_page
from settlement.store.read.position import ActiveBlock, read_active_block
from settlement.store.read.venue import PairRow, read_pairs
from settlement.store.transaction_keys import transaction_key

PROTECTIVE: Final = "~stop"
"""Ends the id of an order that a protective stop placed; before it stands the id of the stop's order."""


class OrderRow(NamedTuple):
    """An order or stop with its times. Amounts as in `schema.orders`."""

    seq: int
    intent_id: str  # of the intent that placed it, or the stop from which it comes
    intent_seq: int  # of what that intent placed: another one if a stop placed this order
    protective: bool  # placed by a protective stop
    account: str
    pair_id: int
    is_buy: bool
    market: bool
    price: int | None
    quantity: int
    to_wallet: bool
    expiry: int | None
    maker_fee_bps: int | None
    taker_fee_bps: int
    stop_price: int | None
    stop_limit: int | None
    trigger_price: int | None  # None for an order
    above: bool | None
    time_in_force: int | None
    post_only: bool | None
    by: str | None  # active, posting or the grantee's name; None if the history begins later
    action: str
    ref: str | None
    block: int
    timestamp: int
    remaining: int
    locked: int
    received: int
    released: int
    traded_base: int
    traded_quote: int
    fees: int
    status: int
    fired_code: str | None
    fired_seq: int | None
    closed_block: int | None
    closed_timestamp: int | None

    @property
    def id(self) -> str:
        return self.intent_id + PROTECTIVE if self.protective else self.intent_id

    @property
    def is_stop(self) -> bool:
        return self.trigger_price is not None


_o, _i = schema.orders.c, schema.intents.c
_placed, _closed = schema.blocks.alias("placed"), schema.blocks.alias("closed")
_PROGRESS = ("remaining", "received", "released", "traded_base", "traded_quote", "fees")
_COLUMNS: Final = {
    "intent_id": _i.id,
    "intent_seq": _i.seq,
    "account": schema.accounts.c.name,
    "by": _i.by,
    "action": _i.action,
    "ref": _i.ref,
    "timestamp": _placed.c.timestamp,
    "closed_timestamp": _closed.c.timestamp,
}
_ORDERS: Select[Any] = (
    select(*(_COLUMNS[name] if name in _COLUMNS else _o[name] for name in OrderRow._fields))
    .select_from(schema.orders)
    .join(schema.intents, _i.n == _o.intent)
    .join(schema.accounts, schema.accounts.c.id == _o.account_id)
    .join(_placed, _placed.c.number == _o.block)
    .outerjoin(_closed, _closed.c.number == _o.closed_block)
    .order_by(_o.seq.desc())
)
_PAST_ORDERS: Select[Any] = join_progress(
    _ORDERS.add_columns(*(schema.order_changes.c[name] for name in _PROGRESS))
).where(_o.seq <= bindparam("last_seq"))
_OF_INTENT = (
    select(_o.seq, _o.fired_seq)
    .join(schema.intents, _i.seq == _o.seq)
    .where(_i.tx_key == bindparam("key"), _i.id == bindparam("id"))
)
_CHOSEN = select(_o.seq).where(_o.seq.in_(bindparam("seqs", expanding=True)))


class OrderFilter(NamedTuple):
    """Filter of orders and stops; None matches any. `status` is an index in `schema.ORDER_STATUSES`."""

    account_id: int | None = None
    pair_id: int | None = None
    status: int | None = None


class _View:
    """Reads orders as they are now, or as they were at the end of a past block."""

    def __init__(self, connection: Connection, past: ActiveBlock | None) -> None:
        self._connection = connection
        self._past = past
        self._statement = _ORDERS if past is None else _PAST_ORDERS
        self._values = {} if past is None else parameters_at(past)
        self._pairs = {} if past is None else read_pairs(connection)

    def read(self, keys: Select[Any], values: dict[str, Any]) -> list[OrderRow]:
        """The orders with these sequence numbers, newest first."""
        statement = self._statement.where(_o.seq.in_(keys))
        found = self._connection.execute(statement, {**self._values, **values})
        return [self._row(row) for row in found]

    def stream(self, *conditions: ColumnElement[bool]) -> Iterator[OrderRow]:
        """Stream the orders that meet the conditions, oldest first."""
        statement = self._statement.where(*conditions).order_by(None).order_by(_o.seq)
        for row in self._connection.execute(statement.execution_options(yield_per=FETCH_ROWS), self._values):
            yield self._row(row)

    def page(self, keys: Select[Any], values: dict[str, Any], limit: int) -> Page[OrderRow]:
        """A page; the keys are selected first, from an index alone, then the rows of those few."""
        chosen = keys.order_by(keys.selected_columns[0].desc()).limit(limit + 1)
        return make_page(self.read(chosen, values), limit, lambda row: row.seq)

    def _row(self, row: Row[Any]) -> OrderRow:
        if self._past is None:
            return OrderRow._make(row)
        order = OrderRow._make(row[: len(OrderRow._fields)])
        if order.closed_block is not None and order.closed_block <= self._past.number:
            return order
        return _order_at(order, self._pairs[order.pair_id], row[len(OrderRow._fields) :])


def _order_at(order: OrderRow, pair: PairRow, progress: Iterable[int | None]) -> OrderRow:
    """An order or stop that was open at the past block; its lock follows from what remained."""
    remaining, *amounts = progress
    remaining = order.quantity if remaining is None else remaining
    received, released, traded_base, traded_quote, fees = (amount or 0 for amount in amounts)
    return order._replace(
        remaining=remaining,
        received=received,
        released=released,
        traded_base=traded_base,
        traded_quote=traded_quote,
        fees=fees,
        locked=pair.lock(is_buy=order.is_buy, market=order.market, price=order.price, units=remaining),
        status=schema.WAITING if order.is_stop else schema.OPEN,
        fired_code=None,
        fired_seq=None,
        closed_block=None,
        closed_timestamp=None,
    )


def find_orders(connection: Connection, order_id: str, block: int | None = None) -> list[OrderRow]:
    """What has this id, newest first: an order, a stop, or the order that a stop fired and the stop.

    Now, or at the end of `block`.
    """
    past = None
    if block is not None:
        past = read_active_block(connection, block)
        if past is None:
            return []
    placed_id = order_id.removesuffix(PROTECTIVE)
    values = {"key": transaction_key(placed_id), "id": placed_id}
    placed = connection.execute(_OF_INTENT, values).one_or_none()
    if placed is None:
        return []
    seqs = [seq for seq in placed if seq is not None]
    rows = _View(connection, past).read(_CHOSEN, {"seqs": seqs})
    return [row for row in rows if row.id == order_id]


def read_orders(connection: Connection, seqs: Iterable[int]) -> list[OrderRow]:
    """The orders and stops with these sequence numbers, newest first, as they are now."""
    return _View(connection, None).read(_CHOSEN, {"seqs": list(seqs)})


def stream_orders(
    connection: Connection, filter_: OrderFilter, keys: KeyRange, block: int | None
) -> Iterator[OrderRow]:
    """Stream the orders of a key range, oldest first.

    At the end of `block`, by which all existed; None: now.
    """
    past = None if block is None else read_active_block(connection, block)
    conditions: list[ColumnElement[bool]] = [_o.seq.between(*keys)]
    if filter_.account_id is not None:
        conditions.append(_o.account_id == filter_.account_id)
    if filter_.pair_id is not None:
        conditions.append(_o.pair_id == filter_.pair_id)
    return _View(connection, past).stream(*conditions)


def list_orders(
    connection: Connection,
    filter_: OrderFilter,
    before: int | None,
    limit: int,
    block: int | None = None,
    *,
    scan_limit: int = MAX_SCANNED_ROWS,
) -> Page[OrderRow]:
    """A page of orders and stops, newest first: now, or at the end of `block`.

    For a filter without an index a page scans at most `scan_limit` orders: it can then hold fewer than
    `limit`, even none, and still have a next page.
    """
    if block is None:
        return _list(connection, filter_, before, limit, scan_limit)
    past = read_active_block(connection, block)
    if past is None:
        return Page([], None)
    if filter_.status in _UNCLOSED:
        return _list_past_unclosed(connection, filter_, before, limit, past)
    first_later = past.last_seq + 1
    before = first_later if before is None else min(before, first_later)
    return _list(connection, filter_, before, limit, scan_limit, past)


_UNCLOSED: Final = {schema.OPEN: IS_OPEN, schema.WAITING: IS_WAITING}
"""Statuses with indexes of their own."""
_WERE_UNCLOSED: Final = {  # by status and whether an account is given
    (schema.OPEN, False): OPEN_OF_PAIRS,
    (schema.OPEN, True): OPEN_OF_ACCOUNT,
    (schema.WAITING, False): WAITING_OF_PAIRS,
    (schema.WAITING, True): WAITING_OF_ACCOUNT,
}


def _list(
    connection: Connection,
    filter_: OrderFilter,
    before: int | None,
    limit: int,
    scan_limit: int,
    past: ActiveBlock | None = None,
) -> Page[OrderRow]:
    view = _View(connection, past)
    range_ = _range(filter_, before)
    rest = _rest(filter_)
    if not rest:
        return view.page(select(_o.seq).where(*range_), {}, limit)
    columns = (_o.seq, _o.pair_id, _o.status, _o.closed_block)
    newest = select(*columns).where(*range_).order_by(_o.seq.desc())
    window = newest.limit(scan_limit).subquery()
    conditions = [window.c[name] == rest[name] for name in rest]
    if past is not None and filter_.status is not None:
        conditions.append(window.c.closed_block <= past.number)
    page = view.page(select(window.c.seq).where(*conditions), {}, limit)
    if page.next_key is not None:
        return page
    return page._replace(next_key=connection.execute(newest.offset(scan_limit - 1).limit(1)).scalar())


def _list_past_unclosed(
    connection: Connection, filter_: OrderFilter, before: int | None, limit: int, past: ActiveBlock
) -> Page[OrderRow]:
    """Orders open, or stops waiting, at a past block. The database finds all of them for each page."""
    view = _View(connection, past)
    values: dict[str, Any] = {}
    assert filter_.status is not None
    were = _WERE_UNCLOSED[filter_.status, filter_.account_id is not None].subquery("was_open")
    if filter_.account_id is None:
        values["pairs"] = list(read_pairs(connection)) if filter_.pair_id is None else [filter_.pair_id]
    else:
        values["account"] = filter_.account_id
    seq = were.c.seq + 0  # prevents SQLite from scanning in the requested order instead of by fork
    keys = select(seq)
    if before is not None:
        keys = keys.where(seq < before)
    if filter_.account_id is not None and filter_.pair_id is not None:
        of_pair = schema.orders.alias("of_pair")
        keys = keys.join(of_pair, of_pair.c.seq == were.c.seq).where(of_pair.c.pair_id == filter_.pair_id)
    return view.page(keys, values, limit)


def _range(filter_: OrderFilter, before: int | None) -> list[ColumnElement[bool]]:
    """The conditions covered by an index."""
    conditions = [] if before is None else [_o.seq < before]
    if filter_.account_id is not None:
        conditions.append(_o.account_id == filter_.account_id)
    if filter_.status in _UNCLOSED:
        conditions.append(_UNCLOSED[filter_.status])
        if filter_.pair_id is not None:
            conditions.append(_o.pair_id == filter_.pair_id)
        elif filter_.account_id is None:  # always true: makes SQLite use the index of open orders
            conditions.append(_o.pair_id.in_(select(schema.pairs.c.id)))
    return conditions


def _rest(filter_: OrderFilter) -> dict[str, int]:
    """The conditions checked row by row."""
    if filter_.status in _UNCLOSED:
        return {}
    values = {"pair_id": filter_.pair_id, "status": filter_.status}
    return {name: value for name, value in values.items() if value is not None}
