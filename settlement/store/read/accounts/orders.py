"""Orders: lists, newest first, single orders and streams; now, or at the end of a past block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select

from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, KeyRange
from settlement.store.read.open_at_block import (
    IS_OPEN,
    OPEN_OF_ACCOUNT,
    OPEN_OF_PAIRS,
    join_progress,
    parameters_at,
)
from settlement.store.read.paging import MAX_SCANNED_ROWS, Page, make_page
from settlement.store.read.position import ActiveBlock, read_active_block
from settlement.store.read.venue import PairRow, read_pairs
from settlement.store.transaction_keys import transaction_key


class OrderRow(NamedTuple):
    """An order with its times. Units as in `settlement.core.order_book.Order`."""

    seq: int
    id: str
    account: str
    pair_id: int
    is_buy: bool
    market: bool
    price: int | None
    quantity: int
    remaining: int
    locked: int
    received: int
    released: int
    status: int
    to_wallet: bool
    expiry: int | None
    action: str
    ref: str | None
    block: int
    timestamp: int
    closed_block: int | None
    closed_timestamp: int | None


_o, _i = schema.orders.c, schema.intents.c
_placed, _closed = schema.blocks.alias("placed"), schema.blocks.alias("closed")
_ORDERS: Select[Any] = (
    select(
        _o.seq,
        _i.id,
        schema.accounts.c.name,
        _o.pair_id,
        _o.is_buy,
        _o.market,
        _o.price,
        _o.quantity,
        _o.remaining,
        _o.locked,
        _o.received,
        _o.released,
        _o.status,
        _o.to_wallet,
        _o.expiry,
        _i.action,
        _i.ref,
        _o.block,
        _placed.c.timestamp,
        _o.closed_block,
        _closed.c.timestamp,
    )
    .select_from(schema.orders)
    .join(schema.intents, _i.n == _o.intent)
    .join(schema.accounts, schema.accounts.c.id == _o.account_id)
    .join(_placed, _placed.c.number == _o.block)
    .outerjoin(_closed, _closed.c.number == _o.closed_block)
    .order_by(_o.seq.desc())
)
_PAST_ORDERS: Select[Any] = join_progress(
    _ORDERS.add_columns(*(schema.order_changes.c[name] for name in ("remaining", "received", "released")))
).where(_o.seq <= bindparam("last_seq"))
_SEQ = select(_i.seq).where(_i.tx_key == bindparam("key"), _i.id == bindparam("id"), _i.seq.is_not(None))
_CHOSEN = select(_o.seq).where(_o.seq.in_(bindparam("seqs", expanding=True)))


class OrderFilter(NamedTuple):
    """Filter of orders; None matches any. `status` is an index in `schema.ORDER_STATUSES`."""

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
        return _order_at(order, self._pairs[order.pair_id], *row[len(OrderRow._fields) :])


def _order_at(
    order: OrderRow, pair: PairRow, remaining: int | None, received: int | None, released: int | None
) -> OrderRow:
    """An order that was open at the past block. Its lock follows from `remaining` (protocol, section 5)."""
    if remaining is None:
        remaining = order.quantity
    price = order.price
    assert price is not None, "only limit orders stay open"
    return order._replace(
        remaining=remaining,
        locked=pair.value(price, remaining) if order.is_buy else remaining,
        received=received or 0,
        released=released or 0,
        status=schema.OPEN,
        closed_block=None,
        closed_timestamp=None,
    )


def find_order(connection: Connection, order_id: str, block: int | None = None) -> OrderRow | None:
    """An order by its id: now, or at the end of `block` (None if it was placed later)."""
    past = None
    if block is not None:
        past = read_active_block(connection, block)
        if past is None:
            return None
    values = {"key": transaction_key(order_id), "id": order_id}
    rows = _View(connection, past).read(_SEQ.limit(1), values)
    return rows[0] if rows else None


def read_orders(connection: Connection, seqs: Iterable[int], block: int) -> list[OrderRow]:
    """The orders with these sequence numbers, newest first, at the end of a block by which all existed."""
    return _View(connection, read_active_block(connection, block)).read(_CHOSEN, {"seqs": list(seqs)})


def stream_orders(
    connection: Connection, filter_: OrderFilter, keys: KeyRange, block: int | None = None
) -> Iterator[OrderRow]:
    """Stream the orders in a key range, oldest first: now, or at the end of `block`, by which all existed."""
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
    """A page of orders, newest first: now, or at the end of `block`.

    For a filter without an index a page scans at most `scan_limit` orders: it can then hold fewer than
    `limit`, even none, and still have a next page.
    """
    if block is None:
        return _list(connection, filter_, before, limit, scan_limit)
    past = read_active_block(connection, block)
    if past is None:
        return Page([], None)
    if filter_.status == schema.OPEN:
        return _list_past_open(connection, filter_, before, limit, past)
    first_later = past.last_seq + 1
    before = first_later if before is None else min(before, first_later)
    return _list(connection, filter_, before, limit, scan_limit, past)


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


def _list_past_open(
    connection: Connection, filter_: OrderFilter, before: int | None, limit: int, past: ActiveBlock
) -> Page[OrderRow]:
    """Orders open at a past block. The database finds all of them for each page."""
    view = _View(connection, past)
    values: dict[str, Any] = {}
    if filter_.account_id is None:
        was_open = OPEN_OF_PAIRS.subquery("was_open")
        values["pairs"] = list(read_pairs(connection)) if filter_.pair_id is None else [filter_.pair_id]
    else:
        was_open = OPEN_OF_ACCOUNT.subquery("was_open")
        values["account"] = filter_.account_id
    seq = was_open.c.seq + 0  # prevents SQLite from scanning in the requested order instead of by fork
    keys = select(seq)
    if before is not None:
        keys = keys.where(seq < before)
    if filter_.account_id is not None and filter_.pair_id is not None:
        of_pair = schema.orders.alias("of_pair")
        keys = keys.join(of_pair, of_pair.c.seq == was_open.c.seq).where(of_pair.c.pair_id == filter_.pair_id)
    return view.page(keys, values, limit)


def _range(filter_: OrderFilter, before: int | None) -> list[ColumnElement[bool]]:
    """The conditions covered by an index."""
    conditions = [] if before is None else [_o.seq < before]
    if filter_.account_id is not None:
        conditions.append(_o.account_id == filter_.account_id)
    if filter_.status == schema.OPEN:
        conditions.append(IS_OPEN)
        if filter_.pair_id is not None:
            conditions.append(_o.pair_id == filter_.pair_id)
        elif filter_.account_id is None:  # always true: makes SQLite use the index of open orders
            conditions.append(_o.pair_id.in_(select(schema.pairs.c.id)))
    return conditions


def _rest(filter_: OrderFilter) -> dict[str, int]:
    """The conditions checked row by row."""
    if filter_.status == schema.OPEN:
        return {}
    values = {"pair_id": filter_.pair_id, "status": filter_.status}
    return {name: value for name, value in values.items() if value is not None}
