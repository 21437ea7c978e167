"""/api/orders and /api/orders/<id>: orders and stops, and one of them with its trades and journal lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import bad_input, not_found
from api.http.formatting import PairFormat, Trade, iso
from api.http.paging import Cursors
from api.http.parameters import BlockNumber, OrderId, PageParameters, Symbol, User, one_of
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Count, NextCursor, Part, Price, Side, Time, choice
from api.routes.market.pairs import pair_of
from settlement.core.codes import SENTENCES, Code
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.parsing.names import decode
from settlement.store import schema
from settlement.store.read.accounts.intents import IntentRow, find_rejected_order, list_rejected_orders
from settlement.store.read.accounts.orders import (
    PROTECTIVE,
    OrderFilter,
    OrderRow,
    find_orders,
    list_orders,
)
from settlement.store.read.audit.journal import read_order_lines
from settlement.store.read.market.trades import TradeRow, list_order_trades
from settlement.store.read.paging import Page
from settlement.store.read.position import read_active_block
from settlement.store.read.venue import PairRow, find_account, read_pairs

REJECTED = "rejected"
Status = Annotated[str, one_of(*schema.ORDER_STATUSES, REJECTED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersParameters(PageParameters):
    user: User | None = None
    base: Symbol | None = None
    quote: Symbol | None = None
    status: Status | None = None
    block: BlockNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderParameters(PageParameters):
    id: OrderId
    block: BlockNumber | None = None


RejectionCode = Annotated[str, choice(*Code)]


class Fired(Part, kw_only=True):
    """What a stop, or an order's protective stop, did when it fired: it placed an order or was rejected."""

    order: Annotated[str | None, Meta(description="Id of the order; null if it was rejected.")]
    code: RejectionCode | None
    error: str | None


class Order(Part, kw_only=True):
    """An order or stop that gives token `gives` for token `gets`; `quantity` is in `quantity_symbol`.

    In units of `gives`: `locked` now, `released` back to the account. `received`, after `fees`, is of `gets`.
    A stop has `trigger_price`; it has the same id as the order that it places when it fires.
    """

    id: str
    seq: Annotated[Count, Meta(description="Sequence number, shared by orders and stops.")]
    user: str
    base: str
    quote: str
    side: Side
    type: Annotated[str, choice("limit", "market")]
    status: Annotated[str, choice(*schema.ORDER_STATUSES)]
    price: Annotated[Price | None, Meta(description="Limit price, or a market order's worst price.")]
    average_price: Annotated[
        Price | None, Meta(description="Of its trades, with four decimals more than a price, rounded.")
    ]
    quantity: Amount
    quantity_symbol: str
    remaining: Amount
    filled: Amount
    gives: str
    locked: Amount
    released: Amount
    gets: str
    received: Amount
    fees: Amount
    maker_fee_bps: Annotated[Count | None, Meta(description="Null for market orders and stops.")]
    taker_fee_bps: Count
    settle: Annotated[str, choice("wallet", "venue")]
    stop_price: Annotated[Price | None, Meta(description="Trigger price of its protective stop.")]
    stop_limit: Annotated[Price | None, Meta(description="Worst price of its protective stop.")]
    trigger_price: Annotated[Price | None, Meta(description="Of a stop; null for an order.")]
    trigger_when: Annotated[str, choice("above", "below")] | None
    time_in_force: Annotated[
        Annotated[str, choice(*schema.TIMES_IN_FORCE)] | None,
        Meta(description="Of a stop; what an order did at once is in its trades."),
    ]
    post_only: Annotated[bool | None, Meta(description="Of a stop.")]
    fired: Annotated[Fired | None, Meta(description="Null unless its stop has fired.")]
    stop_of: Annotated[
        str | None, Meta(description="Id of the order or stop that placed it by firing; null for all others.")
    ]
    by: Annotated[
        str | None,
        Meta(
            description="How it was signed: active, posting, or the grantee's name; null if this server's "
            "history begins later."
        ),
    ]
    action: str
    ref: str | None
    ts: Time
    block: Block
    expires: Time | None
    closed_ts: Time | None
    closed_block: Block | None


class RejectedOrder(Part, kw_only=True):
    """An intent to place an order that was rejected."""

    id: str
    user: str
    status: Annotated[str, choice(REJECTED)]
    action: str
    code: RejectionCode
    error: str
    ref: str | None
    ts: Time | None
    block: Block


class JournalLine(Part, kw_only=True):
    """A journal line and its block."""

    block: Block
    line: str


class Orders(Answer, kw_only=True):
    orders: list[Order]
    next_cursor: NextCursor


class RejectedOrders(Answer, kw_only=True):
    """With `status=rejected`."""

    orders: list[RejectedOrder]
    next_cursor: NextCursor


class OneOrder(Answer, kw_only=True):
    """`stop`: the stop with the same id that placed this order when it fired."""

    order: Order
    stop: Order | None
    trades: list[Trade]
    journal: list[JournalLine]
    next_cursor: NextCursor


class OneRejectedOrder(Answer, kw_only=True):
    """With the id of a rejected order."""

    order: RejectedOrder
    trades: list[Trade]
    journal: list[JournalLine]
    next_cursor: NextCursor


def _list(snapshot: Snapshot, params: OrdersParameters) -> Orders | RejectedOrders:
    cursors = Cursors("orders", params.user, params.base, params.quote, params.status, params.block)
    before = cursors.read(params.cursor)
    pair_id = _pair_id(snapshot, params)
    if params.status == REJECTED:
        if params.user is None or pair_id is not None:
            raise bad_input("status=rejected requires user, and takes neither base nor quote.")
        if params.block is not None:
            raise bad_input("status=rejected does not take block.")
        return _rejected_list(snapshot, params, cursors, before)
    account = None if params.user is None else find_account(snapshot.connection, params.user)
    page: Page[OrderRow] = Page([], None)
    if params.user is None or account is not None:
        status = None if params.status is None else schema.ORDER_STATUSES.index(params.status)
        filters = OrderFilter(account, pair_id, status)
        page = list_orders(snapshot.connection, filters, before, params.limit, params.block)
    pairs = read_pairs(snapshot.connection)
    return Orders(
        *snapshot.stamp,
        orders=[show_order(row, pairs) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _rejected_list(
    snapshot: Snapshot, params: OrdersParameters, cursors: Cursors, before: int | None
) -> RejectedOrders:
    account = find_account(snapshot.connection, params.user or "")
    page: Page[IntentRow] = Page([], None)
    if account is not None:
        page = list_rejected_orders(snapshot.connection, account, before, params.limit)
    return RejectedOrders(
        *snapshot.stamp,
        orders=[_rejected(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _pair_id(snapshot: Snapshot, params: OrdersParameters) -> int | None:
    if params.base is None and params.quote is None:
        return None
    if params.base is None or params.quote is None:
        raise bad_input("give base and quote together, or neither.")
    return pair_of(snapshot, params.base, params.quote).row.id


def _one(snapshot: Snapshot, params: OrderParameters) -> OneOrder | OneRejectedOrder:
    cursors = Cursors("order", params.id, params.block)
    before = cursors.read(params.cursor)
    rows = find_orders(snapshot.connection, params.id, params.block)
    if not rows:
        return _one_rejected(snapshot, params)
    row, *stops = rows
    if params.block is not None and before is None:
        past = read_active_block(snapshot.connection, params.block)
        before = None if past is None else past.last_trade + 1
    pairs = read_pairs(snapshot.connection)
    fmt = PairFormat(pairs[row.pair_id])
    trades: Page[TradeRow] = list_order_trades(snapshot.connection, row.seq, before, params.limit)
    blocks = {block for each in rows for block in (each.block, each.closed_block) if block is not None}
    blocks.update(trade.block for trade in trades.rows)
    return OneOrder(
        *snapshot.stamp,
        order=show_order(row, pairs),
        stop=show_order(stops[0], pairs) if stops else None,
        trades=[fmt.trade(trade) for trade in trades.rows],
        journal=_journal(snapshot, params.id, blocks),
        next_cursor=cursors.write(trades.next_key),
    )


def _one_rejected(snapshot: Snapshot, params: OrderParameters) -> OneRejectedOrder:
    row = find_rejected_order(snapshot.connection, params.id)
    if row is None or row.block > snapshot.block:
        raise not_found(_unknown(snapshot, params))
    return OneRejectedOrder(
        *snapshot.stamp,
        order=_rejected(row),
        trades=[],
        journal=_journal(snapshot, params.id, {row.block}),
        next_cursor=None,
    )


def _unknown(snapshot: Snapshot, params: OrderParameters) -> str:
    if snapshot.block < snapshot.at.block:
        return f"There was no order {params.id} at the end of block {snapshot.block}."
    return f"There is no order {params.id}. If it was just signed, its block may not be irreversible yet."


def _journal(snapshot: Snapshot, order_id: str, blocks: set[int]) -> list[JournalLine]:
    lines = read_order_lines(snapshot.connection, order_id, blocks)
    return [JournalLine(block=line.block, line=line.text) for line in lines]


def show_order(row: OrderRow, pairs: Mapping[int, PairRow]) -> Order:
    """An order with amounts as decimal text."""
    pair = pairs[row.pair_id]
    fmt = PairFormat(pair)
    is_budget = row.market and row.is_buy
    quantity = fmt.quote if is_budget else fmt.base
    gives, gets = (fmt.quote, fmt.base) if row.is_buy else (fmt.base, fmt.quote)
    return Order(
        id=row.id,
        seq=row.seq,
        user=decode(row.account),
        base=pair.base,
        quote=pair.quote,
        side="buy" if row.is_buy else "sell",
        type="market" if row.market else "limit",
        status=schema.ORDER_STATUSES[row.status],
        price=fmt.price_or_none(row.price),
        average_price=_average_price(row, fmt),
        quantity=quantity(row.quantity),
        quantity_symbol=pair.quote if is_budget else pair.base,
        remaining=quantity(row.remaining),
        filled=quantity(row.quantity - row.remaining),
        gives=pair.quote if row.is_buy else pair.base,
        locked=gives(row.locked),
        released=gives(row.released),
        gets=pair.base if row.is_buy else pair.quote,
        received=gets(row.received),
        fees=gets(row.fees),
        maker_fee_bps=row.maker_fee_bps,
        taker_fee_bps=row.taker_fee_bps,
        settle="wallet" if row.to_wallet else "venue",
        stop_price=fmt.price_or_none(row.stop_price),
        stop_limit=fmt.price_or_none(row.stop_limit),
        trigger_price=fmt.price_or_none(row.trigger_price),
        trigger_when=None if row.above is None else "above" if row.above else "below",
        time_in_force=None if row.time_in_force is None else schema.TIMES_IN_FORCE[row.time_in_force],
        post_only=row.post_only,
        fired=show_fired(row.id, row.is_stop, row.fired_code, row.fired_seq),
        stop_of=row.intent_id if row.intent_seq != row.seq else None,
        by=None if row.by is None else decode(row.by),
        action=row.action,
        ref=row.ref,
        ts=iso(row.timestamp),
        block=row.block,
        expires=None if row.expiry is None else iso(row.expiry),
        closed_ts=None if row.closed_timestamp is None else iso(row.closed_timestamp),
        closed_block=row.closed_block,
    )


def _average_price(row: OrderRow, fmt: PairFormat) -> str | None:
    """None without trades, and where their sums are no longer known (protocol, section 11)."""
    sums = row.traded_base, row.traded_quote
    return fmt.ratio(row.traded_quote, row.traded_base) if min(sums) > 0 and max(sums) < MAX_UNITS else None


def show_fired(id_: str, is_stop: bool, code: str | None, seq: int | None) -> Fired | None:
    """What a stop, or the protective stop of an order, with this id did; None if it has not fired."""
    if code is not None:
        return Fired(order=None, code=code, error=SENTENCES[Code(code)])
    if seq is not None:
        return Fired(order=id_ if is_stop else id_ + PROTECTIVE, code=None, error=None)
    return None


def _rejected(row: IntentRow) -> RejectedOrder:
    return RejectedOrder(
        id=row.id,
        user=decode(row.account),
        status=REJECTED,
        action=row.action,
        code=row.code or "",
        error=reason(row) or "",
        ref=row.ref,
        ts=None if row.timestamp is None else iso(row.timestamp),
        block=row.block,
    )


def reason(row: IntentRow) -> str | None:
    """Why an intent was rejected; None if it was accepted."""
    return None if row.code is None else SENTENCES[Code(row.code)]


list_resource = Resource(
    "/api/orders",
    OrdersParameters,
    Orders | RejectedOrders,
    "Orders and stops, newest first.",
    _list,
    errors=("E_PAIR", "E_BLOCK"),
    group="Account",
)
one_resource = Resource(
    "/api/orders/<id>",
    OrderParameters,
    OneOrder | OneRejectedOrder,
    "One order or stop with its trades and journal lines.",
    _one,
    errors=("E_NOT_FOUND", "E_BLOCK"),
    group="Account",
)
