"""The state text at the end of a past block, as the state machine writes it (protocol, section 9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from settlement.core.journal import state_text as texts
from settlement.store import schema
from settlement.store.read.accounts.balances import read_all_balances
from settlement.store.read.open_at_block import OPEN_OF_PAIRS, join_progress, parameters_at, was_open
from settlement.store.read.position import read_active_block
from settlement.store.read.venue import read_pairs

_o, _w, _r = schema.orders.c, schema.withdrawals.c, schema.refunds.c
_h, _c = schema.holdings.c, schema.holding_changes.c
_CURSOR = select(schema.cursor.c.block, schema.cursor.c.block_id, schema.cursor.c.venue_hash)
_ORDERS: Select[Any] = join_progress(
    select(
        _o.seq,
        schema.intents.c.id,
        schema.accounts.c.name,
        _o.pair_id,
        _o.is_buy,
        _o.price,
        func.coalesce(schema.order_changes.c.remaining, _o.quantity).label("remaining"),
        _o.expiry,
    )
    .join(schema.intents, schema.intents.c.n == _o.intent)
    .join(schema.accounts, schema.accounts.c.id == _o.account_id)
).where(_o.seq.in_(OPEN_OF_PAIRS))
_WITHDRAWALS = was_open(
    select(_w.n, _w.id, schema.accounts.c.name, schema.tokens.c.symbol, _w.amount, _w.to, _w.memo)
    .join(schema.accounts, schema.accounts.c.id == _w.account_id)
    .join(schema.tokens, schema.tokens.c.id == _w.token_id),
    schema.withdrawals,
    _w.n,
    "last_withdrawal",
)
_REFUNDS = was_open(
    select(_r.n, _r.id, _r.account, _r.symbol, _r.quantity, _r.escrow), schema.refunds, _r.n, "last_refund"
)
_newest = schema.holding_changes.alias("newest")
_newest_block = select(func.max(_newest.c.block)).where(
    _newest.c.symbol == _h.symbol, _newest.c.block <= bindparam("past_block")
)
# An outer join, because with an inner one SQLite would start from all changes ever made.
_HOLDINGS = select(_h.symbol, func.coalesce(_c.units, "0").label("units")).select_from(
    schema.holdings.outerjoin(
        schema.holding_changes,
        (_c.symbol == _h.symbol) & (_c.block == _newest_block.scalar_subquery()),
    )
)


def read_state_text(connection: Connection, block: int) -> str:
    """The state text at the end of a processed block; its SHA-256 is the state hash.

    The ids of blocks that are not active are not stored, except for the last processed one. For other such
    blocks it is the text of the newest active block before, as its line `block` says.
    """
    return "".join(f"{line}\n" for line in _lines(connection, block))


def read_state_hash(connection: Connection, block: int) -> str:
    """The state hash (64 hex digits) at the end of an active block."""
    return sha256(read_state_text(connection, block).encode()).hexdigest()


def _lines(connection: Connection, block: int) -> Iterator[str]:
    past = read_active_block(connection, block)
    cursor = connection.execute(_CURSOR).one()
    at = None if past is None else (past.number, past.block_id)
    if cursor.block_id is not None and block == cursor.block:
        at = (cursor.block, cursor.block_id)
    yield from texts.head_lines(cursor.venue_hash, at)
    if past is None:
        return
    values = parameters_at(past)
    for row in sorted(read_all_balances(connection, past.number)):
        yield texts.balance_line(row.account, row.symbol, row.available, row.locked, row.withdrawing)
    yield from _order_lines(connection, values)
    for _, *withdrawal in sorted(connection.execute(_WITHDRAWALS, values)):
        yield texts.withdrawal_line(*withdrawal)
    for _, *refund in sorted(connection.execute(_REFUNDS, values)):
        yield texts.refund_line(*refund)
    holdings: defaultdict[str, int] = defaultdict(int)
    for holding in connection.execute(_HOLDINGS, values):
        holdings[holding.symbol] += int(holding.units)
    for symbol, held in sorted(holdings.items()):
        if held:
            yield texts.escrow_line(symbol, held)


def _order_lines(connection: Connection, values: dict[str, Any]) -> Iterator[str]:
    pairs = read_pairs(connection)
    for order in sorted(connection.execute(_ORDERS, {**values, "pairs": list(pairs)})):
        pair = pairs[order.pair_id]
        yield texts.order_line(
            seq=order.seq,
            order_id=order.id,
            account=order.name,
            pair=f"{pair.base}/{pair.quote}",
            is_buy=order.is_buy,
            price=order.price,
            remaining=order.remaining,
            locked=pair.value(order.price, order.remaining) if order.is_buy else order.remaining,
            expiry=order.expiry,
        )
