"""The exported tables: their columns, and their rows in chronological order.

Amounts and prices are decimal text, times seconds since 1970 (UTC). Free text is percent-encoded as in the
journal (protocol, section 11). Column names avoid SQL keywords: `account` is the API's `user`, `recipient`
its `to`, `signed_by` its `by`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from settlement.core.accounts import BUCKETS
from settlement.core.parsing.amounts import show_units
from settlement.store import schema
from settlement.store.read.accounts.balances import stream_balance_changes, stream_balances
from settlement.store.read.accounts.deposits import DepositRow, stream_deposits
from settlement.store.read.accounts.grants import stream_grants
from settlement.store.read.accounts.orders import OrderFilter, OrderRow, stream_orders
from settlement.store.read.accounts.transfers import stream_transfers
from settlement.store.read.accounts.withdrawals import stream_withdrawals
from settlement.store.read.key_ranges import BlockRange, find_key_range
from settlement.store.read.market.marks import stream_marks
from settlement.store.read.market.trades import PartiesRow, TradeFilter, stream_trades
from settlement.store.read.venue import PairRow, read_pairs, read_tokens

Row = tuple[Any, ...]


class Type(Enum):
    """Type of a column."""

    INTEGER = "integer"
    TEXT = "text"
    TIME = "time"
    AMOUNT = "amount"
    PRICE = "price"


class Column(NamedTuple):
    """A column of an export."""

    name: str
    type: Type


class Selection(NamedTuple):
    """The rows to export, as of the end of the last block; None means any account or pair."""

    blocks: BlockRange
    past: int | None  # the last block; None if it is the newest recorded one
    user: str | None = None  # account name, percent-encoded
    account_id: int | None = None  # 0: an account that the ledger does not have
    pair_id: int | None = None


class Table(NamedTuple):
    """An exported table."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Connection, Selection], Iterator[Row]]
    is_of_pairs: bool = False  # can be filtered by pair
    is_history: bool = True  # in block order; else as of one block
    is_of_accounts: bool = True  # can be filtered by user

    @property
    def block(self) -> int:
        """Index of the block in a row."""
        return [column.name for column in self.columns].index("block")


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from `name` or `name:type`; the default type is text."""
    parts = (word.partition(":") for word in text.split())
    return tuple(Column(name, Type(kind or "text")) for name, _, kind in parts)


def _orders(connection: Connection, selection: Selection) -> Iterator[Row]:
    pairs = read_pairs(connection)
    filter_ = OrderFilter(selection.account_id, selection.pair_id)
    span = find_key_range(connection, schema.orders.c.seq, selection.blocks)
    for row in stream_orders(connection, filter_, span, selection.past):
        yield _order(row, pairs[row.pair_id])


def _order(row: OrderRow, pair: PairRow) -> Row:
    base, quote = (pair.base, pair.base_precision), (pair.quote, pair.quote_precision)
    counted_in, precision = quote if row.market and row.is_buy else base
    gives, gets = (quote, base) if row.is_buy else (base, quote)

    def price(ticks: int | None) -> str | None:
        return None if ticks is None else show_units(ticks, pair.price_decimals)

    return (
        row.seq,
        row.id,
        row.account,
        pair.base,
        pair.quote,
        _side(row.is_buy),
        "market" if row.market else "limit",
        schema.ORDER_STATUSES[row.status],
        price(row.price),
        show_units(row.quantity, precision),
        counted_in,
        show_units(row.remaining, precision),
        show_units(row.quantity - row.remaining, precision),
        gives[0],
        show_units(row.locked, gives[1]),
        show_units(row.released, gives[1]),
        gets[0],
        show_units(row.received, gets[1]),
        show_units(row.fees, gets[1]),
        row.maker_fee_bps,
        row.taker_fee_bps,
        "wallet" if row.to_wallet else "venue",
        price(row.stop_price),
        price(row.stop_limit),
        price(row.trigger_price),
        None if row.above is None else "above" if row.above else "below",
        None if row.time_in_force is None else schema.TIMES_IN_FORCE[row.time_in_force],
        "post" if row.post_only else None,
        row.fired_seq,
        row.fired_code,
        row.intent_seq if row.intent_seq != row.seq else None,
        row.by,
        row.action,
        row.ref,
        row.timestamp,
        row.block,
        row.expiry,
        row.closed_timestamp,
        row.closed_block,
    )


def _trades(connection: Connection, selection: Selection) -> Iterator[Row]:
    pairs = read_pairs(connection)
    filter_ = TradeFilter(selection.account_id, selection.pair_id)
    span = find_key_range(connection, schema.trades.c.n, selection.blocks)
    for row in stream_trades(connection, filter_, span):
        yield _trade(row, pairs[row.pair_id])


def _trade(row: PartiesRow, pair: PairRow) -> Row:
    trade, base, quote = row.trade, pair.base_precision, pair.quote_precision
    return (
        trade.n,
        trade.timestamp,
        trade.block,
        pair.base,
        pair.quote,
        show_units(trade.price, pair.price_decimals),
        show_units(trade.quantity, base),
        show_units(trade.quote_amount, quote),
        _side(trade.taker_is_buy),
        row.taker,
        row.maker,
        trade.taker_id,
        trade.maker_id,
        show_units(trade.buyer_fee, base),
        show_units(trade.seller_fee, quote),
    )


def _deposits(connection: Connection, selection: Selection) -> Iterator[Row]:
    for row in stream_deposits(connection, selection.user, selection.blocks):
        amount = None
        if row.amount is not None and row.precision is not None:
            amount = show_units(row.amount, row.precision)
        yield (
            *(row.n, row.id, row.account, row.chain, row.symbol, amount, row.quantity, row.escrow),
            *(_deposit_status(row), row.timestamp, row.block, row.paid_by),
        )


def _withdrawals(connection: Connection, selection: Selection) -> Iterator[Row]:
    span = find_key_range(connection, schema.withdrawals.c.n, selection.blocks)
    for row in stream_withdrawals(connection, selection.account_id, span, selection.blocks.last):
        yield (
            *(row.n, row.id, row.account, row.symbol, show_units(row.amount, row.precision), row.to),
            *(row.memo, schema.CLAIM_STATUSES[row.status], row.timestamp, row.block, row.paid_by),
            *(row.return_due, row.returning_block, row.closed_timestamp, row.closed_block),
        )


def _transfers(connection: Connection, selection: Selection) -> Iterator[Row]:
    span = find_key_range(connection, schema.transfers.c.n, selection.blocks)
    for row in stream_transfers(connection, selection.account_id, span):
        yield (
            *(row.n, row.timestamp, row.block, row.symbol, show_units(row.amount, row.precision)),
            *(row.debit, BUCKETS[row.debit_bucket], row.credit, BUCKETS[row.credit_bucket]),
        )


def _balances(connection: Connection, selection: Selection) -> Iterator[Row]:
    for row in stream_balances(connection, selection.account_id, selection.past):
        parts = row.available, row.locked, row.withdrawing
        amounts = (show_units(units, row.precision) for units in (*parts, sum(parts)))
        yield (selection.blocks.last, row.account, row.symbol, *amounts)


def _balance_changes(connection: Connection, selection: Selection) -> Iterator[Row]:
    for block, timestamp, row in stream_balance_changes(connection, selection.account_id, selection.blocks):
        parts = row.available, row.locked, row.withdrawing
        amounts = (show_units(units, row.precision) for units in (*parts, sum(parts)))
        yield (block, timestamp, row.account, row.symbol, *amounts)


def _grants(connection: Connection, selection: Selection) -> Iterator[Row]:
    precisions = {token.symbol: token.precision for token in read_tokens(connection)}
    span = find_key_range(connection, schema.grants.c.n, selection.blocks)
    for row in stream_grants(connection, selection.account_id, span, selection.blocks.last):
        per_day = ",".join(
            f"{symbol}:{show_units(units, precisions[symbol])}" for symbol, units in row.per_day.items()
        )
        yield (
            *(row.n, row.account, row.to, row.pairs, per_day, row.band_bps, row.until),
            *(row.timestamp, row.block, row.closed_timestamp, row.closed_block),
        )


def _marks(connection: Connection, selection: Selection) -> Iterator[Row]:
    pairs = read_pairs(connection)
    for row in stream_marks(connection, selection.pair_id, selection.blocks):
        pair = pairs[row.pair_id]
        amount, quote_amount = (
            show_units(row.base, pair.base_precision),
            show_units(row.quote, pair.quote_precision),
        )
        yield (row.block, row.timestamp, pair.base, pair.quote, amount, quote_amount)


def _side(is_buy: bool) -> str:
    return "buy" if is_buy else "sell"


def _deposit_status(row: DepositRow) -> str:
    if row.status is None:
        return "ignored" if row.amount is None else "credited"
    return _REFUND_STATUSES[row.status]


_REFUND_STATUSES: Final = {schema.PENDING: "refund_due", schema.PAID: "refunded"}
TABLES: Final = {
    table.name: table
    for table in (
        Table(
            "orders",
            _columns(
                "seq:integer id account base quote side type status price:price quantity:amount "
                "quantity_symbol remaining:amount filled:amount gives locked:amount released:amount gets "
                "received:amount fees:amount maker_fee_bps:integer taker_fee_bps:integer settle "
                "stop_price:price stop_limit:price trigger_price:price trigger_when time_in_force post_only "
                "fired_seq:integer fired_code stop_seq:integer signed_by action ref ts:time block:integer "
                "expires:time closed_ts:time closed_block:integer"
            ),
            _orders,
            is_of_pairs=True,
        ),
        Table(
            "trades",
            _columns(
                "id:integer ts:time block:integer base quote price:price amount:amount "
                "quote_amount:amount taker_side taker maker taker_order maker_order buyer_fee:amount "
                "seller_fee:amount"
            ),
            _trades,
            is_of_pairs=True,
        ),
        Table(
            "deposits",
            _columns(
                "n:integer id account chain symbol amount:amount quantity escrow status ts:time "
                "block:integer paid_by"
            ),
            _deposits,
        ),
        Table(
            "withdrawals",
            _columns(
                "n:integer id account symbol amount:amount recipient memo status ts:time block:integer "
                "paid_by return_due:time returning_block:integer closed_ts:time closed_block:integer"
            ),
            _withdrawals,
        ),
        Table(
            "balances",
            _columns(
                "block:integer account symbol available:amount locked:amount withdrawing:amount total:amount"
            ),
            _balances,
            is_history=False,
        ),
        Table(
            "transfers",
            _columns(
                "n:integer ts:time block:integer symbol amount:amount debit debit_bucket credit credit_bucket"
            ),
            _transfers,
        ),
        Table(
            "balance_changes",
            _columns(
                "block:integer ts:time account symbol available:amount locked:amount withdrawing:amount "
                "total:amount"
            ),
            _balance_changes,
        ),
        Table(
            "grants",
            _columns(
                "n:integer account grantee pairs per_day band_bps:integer ends:time ts:time block:integer "
                "closed_ts:time closed_block:integer"
            ),
            _grants,
        ),
        Table(
            "marks",
            _columns("block:integer ts:time base quote amount:amount quote_amount:amount"),
            _marks,
            is_of_pairs=True,
            is_of_accounts=False,
        ),
    )
}
