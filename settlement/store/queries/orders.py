"""Orders, newest first, and one order by its id."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from settlement.store import schema
from settlement.store.keys import transaction_key
from settlement.store.queries.book import IS_OPEN
from settlement.store.queries.paging import Page, cut

WINDOW: Final = 10_000
"""At most so many orders are looked at for one page of a filter that no index serves."""


class OrderRow(NamedTuple):
    """An order with its times. Units as in `settlement.model.Order`."""

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
_SEQ = select(_i.seq).where(_i.tx_key == bindparam("key"), _i.id == bindparam("id"), _i.seq.is_not(None))
_ORDER = _ORDERS.where(_o.seq.in_(_SEQ)).limit(1)


class OrderFilter(NamedTuple):
    """Which orders; None means any. `status` as in `schema.ORDER_STATUSES`."""

    account_id: int | None = None
    pair_id: int | None = None
    status: int | None = None


def find_order(connection: Connection, order_id: str) -> OrderRow | None:
    row = connection.execute(_ORDER, {"key": transaction_key(order_id), "id": order_id}).one_or_none()
    return None if row is None else OrderRow(*row)


def list_orders(
    connection: Connection, wanted: OrderFilter, before: int | None, limit: int
) -> Page[OrderRow]:
    """A page of orders, newest first. It can hold fewer than `limit`, even none, and still have a next
    one: where no index serves the filter, one page looks at no more than `WINDOW` orders."""
    range_ = _range(wanted, before)
    rest = _rest(wanted)
    if not rest:
        return _read(connection, select(_o.seq).where(*range_), limit)
    newest = select(_o.seq, _o.pair_id, _o.status).where(*range_).order_by(_o.seq.desc())
    window = newest.limit(WINDOW).subquery()
    page = _read(
        connection, select(window.c.seq).where(*(window.c[name] == rest[name] for name in rest)), limit
    )
    if page.next_key is not None:
        return page
    return page._replace(next_key=connection.execute(newest.offset(WINDOW - 1).limit(1)).scalar())


def _range(wanted: OrderFilter, before: int | None) -> list[ColumnElement[bool]]:
    """The conditions that an index serves."""
    conditions = [] if before is None else [_o.seq < before]
    if wanted.account_id is not None:
        conditions.append(_o.account_id == wanted.account_id)
    if wanted.status == schema.OPEN:
        conditions.append(IS_OPEN)
        if wanted.pair_id is not None:
            conditions.append(_o.pair_id == wanted.pair_id)
        elif wanted.account_id is None:  # true of all: it leads SQLite to the index of open orders
            conditions.append(_o.pair_id.in_(select(schema.pairs.c.id)))
    return conditions


def _rest(wanted: OrderFilter) -> dict[str, int]:
    """The conditions that are tested row by row."""
    if wanted.status == schema.OPEN:
        return {}
    values = {"pair_id": wanted.pair_id, "status": wanted.status}
    return {name: value for name, value in values.items() if value is not None}


def _read(connection: Connection, keys: Select[Any], limit: int) -> Page[OrderRow]:
    """The keys first, out of an index alone; then the rows of those few."""
    chosen = keys.order_by(keys.selected_columns[0].desc()).limit(limit + 1)
    rows = [OrderRow(*row) for row in connection.execute(_ORDERS.where(_o.seq.in_(chosen)))]
    return cut(rows, limit, lambda row: row.seq)
