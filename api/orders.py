"""/api/orders and /api/orders/<id>: orders, newest first, and all about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from api.database import Snapshot
from api.errors import bad_input, not_found
from api.paging import Cursors
from api.pairs import pair_of
from api.parameters import Id, PageParameters, Symbol, User, one_of
from api.resource import Body, Resource
from api.show import PairShow, iso
from settlement.codes import SENTENCES, Code
from settlement.names import decode
from settlement.store import schema
from settlement.store.queries.intents import IntentRow, find_rejected_order, list_rejected_orders
from settlement.store.queries.journal import read_order_lines
from settlement.store.queries.orders import OrderFilter, OrderRow, find_order, list_orders
from settlement.store.queries.paging import Page
from settlement.store.queries.trades import TradeRow, list_order_trades
from settlement.store.queries.venue import PairRow, find_account, read_pairs

REJECTED = "rejected"
Status = Annotated[str, one_of(*schema.ORDER_STATUSES, REJECTED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersParameters(PageParameters):
    user: User | None = None
    base: Symbol | None = None
    quote: Symbol | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderParameters(PageParameters):
    id: Id


def _list(snapshot: Snapshot, ask: OrdersParameters) -> Body:
    cursors = Cursors("orders", ask.user, ask.base, ask.quote, ask.status)
    before = cursors.read(ask.cursor)
    pair_id = _pair_id(snapshot, ask)
    if ask.status == REJECTED:
        if ask.user is None or pair_id is not None:
            raise bad_input("status rejected needs user, and takes neither base nor quote: no pair is kept.")
        return _rejected_list(snapshot, ask, cursors, before)
    account = None if ask.user is None else find_account(snapshot.connection, ask.user)
    page: Page[OrderRow] = Page([], None)
    if ask.user is None or account is not None:
        status = None if ask.status is None else schema.ORDER_STATUSES.index(ask.status)
        page = list_orders(snapshot.connection, OrderFilter(account, pair_id, status), before, ask.limit)
    pairs = read_pairs(snapshot.connection)
    return {
        "orders": [_order(row, pairs) for row in page.rows],
        "next_cursor": cursors.write(page.next_key),
    }


def _rejected_list(snapshot: Snapshot, ask: OrdersParameters, cursors: Cursors, before: int | None) -> Body:
    account = find_account(snapshot.connection, ask.user or "")
    page: Page[IntentRow] = Page([], None)
    if account is not None:
        page = list_rejected_orders(snapshot.connection, account, before, ask.limit)
    return {
        "orders": [_rejected(row) for row in page.rows],
        "next_cursor": cursors.write(page.next_key),
    }


def _pair_id(snapshot: Snapshot, ask: OrdersParameters) -> int | None:
    if ask.base is None and ask.quote is None:
        return None
    if ask.base is None or ask.quote is None:
        raise bad_input("base and quote name a pair together: give both or neither.")
    return pair_of(snapshot, ask.base, ask.quote).row.id


def _one(snapshot: Snapshot, ask: OrderParameters) -> Body:
    cursors = Cursors("order", ask.id)
    before = cursors.read(ask.cursor)
    row = find_order(snapshot.connection, ask.id)
    if row is None:
        return _one_rejected(snapshot, ask.id)
    pairs = read_pairs(snapshot.connection)
    show = PairShow(pairs[row.pair_id])
    trades: Page[TradeRow] = list_order_trades(snapshot.connection, row.seq, before, ask.limit)
    blocks = {row.block, row.closed_block or row.block, *(trade.block for trade in trades.rows)}
    return {
        "order": _order(row, pairs),
        "trades": [show.trade(trade) for trade in trades.rows],
        "journal": _journal(snapshot, ask.id, blocks),
        "next_cursor": cursors.write(trades.next_key),
    }


def _one_rejected(snapshot: Snapshot, order_id: str) -> Body:
    row = find_rejected_order(snapshot.connection, order_id)
    if row is None:
        raise not_found(
            f"There is no order {order_id}. If it was signed just now, its block may not be irreversible yet."
        )
    return {
        "order": _rejected(row),
        "trades": [],
        "journal": _journal(snapshot, order_id, {row.block}),
        "next_cursor": None,
    }


def _journal(snapshot: Snapshot, order_id: str, blocks: set[int]) -> list[Body]:
    lines = read_order_lines(snapshot.connection, order_id, blocks)
    return [{"block": line.block, "line": line.text} for line in lines]


def _order(row: OrderRow, pairs: Mapping[int, PairRow]) -> Body:
    """An order in display units. `gives` is the token that it locks, `gets` the one that it is for."""
    pair = pairs[row.pair_id]
    show = PairShow(pair)
    is_budget = row.market and row.is_buy
    quantity = show.quote if is_budget else show.base
    gives, gets = (show.quote, show.base) if row.is_buy else (show.base, show.quote)
    return {
        "id": row.id,
        "seq": row.seq,
        "user": decode(row.account),
        "base": pair.base,
        "quote": pair.quote,
        "side": "buy" if row.is_buy else "sell",
        "type": "market" if row.market else "limit",
        "status": schema.ORDER_STATUSES[row.status],
        "price": show.price(row.price),
        "quantity": quantity(row.quantity),
        "quantity_symbol": pair.quote if is_budget else pair.base,
        "remaining": quantity(row.remaining),
        "filled": quantity(row.quantity - row.remaining),
        "gives": pair.quote if row.is_buy else pair.base,
        "locked": gives(row.locked),
        "released": gives(row.released),
        "gets": pair.base if row.is_buy else pair.quote,
        "received": gets(row.received),
        "settle": "wallet" if row.to_wallet else "venue",
        "action": row.action,
        "ref": row.ref,
        "ts": iso(row.timestamp),
        "block": row.block,
        "expires": None if row.expiry is None else iso(row.expiry),
        "closed_ts": None if row.closed_timestamp is None else iso(row.closed_timestamp),
        "closed_block": row.closed_block,
    }


def _rejected(row: IntentRow) -> Body:
    """An order that never was: what is kept of it is who, when and why not."""
    return {
        "id": row.id,
        "user": decode(row.account),
        "status": REJECTED,
        "action": row.action,
        **reason(row),
        "ref": row.ref,
        "ts": None if row.timestamp is None else iso(row.timestamp),
        "block": row.block,
    }


def reason(row: IntentRow) -> Body:
    """Why an intent was rejected: the code, and its sentence."""
    return {"code": row.code, "error": None if row.code is None else SENTENCES[Code(row.code)]}


list_resource = Resource("/api/orders", OrdersParameters, _list, "Orders, newest first.")
one_resource = Resource(
    "/api/orders/<id>", OrderParameters, _one, "One order with its trades and its lines of the journal."
)
