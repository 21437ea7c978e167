"""The state text at the end of a past block, as the state machine writes it (protocol, section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from settlement.core.journal.state_text import (
    balance_line,
    escrow_line,
    head_lines,
    order_line,
    refund_line,
    withdrawal_line,
)
from settlement.store import schema
from settlement.store.read.accounts.balances import read_all_balances
from settlement.store.read.open_at_block import OPEN_OF_PAIRS, past_values, was_open, with_progress
from settlement.store.read.position import read_past
from settlement.store.read.venue import read_pairs

_o, _w, _r = schema.orders.c, schema.withdrawals.c, schema.refunds.c
_h, _c = schema.holdings.c, schema.holding_changes.c
_CURSOR = select(schema.cursor.c.block, schema.cursor.c.block_id, schema.cursor.c.venue_hash)
_ORDERS: Select[Any] = with_progress(
    select(
        _o.seq,
        schema.intents.c.id,
        schema.accounts.c.name,
        _o.pair_id,
        _o.is_buy,
        _o.price,
        func.coalesce(schema.order_changes.c.remaining, _o.quantity),
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
    _newest.c.escrow == _h.escrow, _newest.c.symbol == _h.symbol, _newest.c.block <= bindparam("past_block")
)
# An outer join: SQLite would begin with all changes there ever were.
_HOLDINGS = select(_h.symbol, func.coalesce(_c.units, "0")).select_from(
    schema.holdings.outerjoin(
        schema.holding_changes,
        (_c.escrow == _h.escrow) & (_c.symbol == _h.symbol) & (_c.block == _newest_block.scalar_subquery()),
    )
)


def read_state_text(connection: Connection, block: int) -> str:
    """The state's whole text at the end of `block`, which is recorded; `sha256sum` of it is the state hash.

    The ids of blocks in which nothing of ours happened are not kept. For such a block it is the text of
    the newest block of ours before it, which says so in its line `block`; but the last block recorded is
    always known.
    """
    return "".join(f"{line}\n" for line in _lines(connection, block))


def read_state_hash(connection: Connection, block: int) -> str:
    """The state hash at the end of `block`, which is one of ours: 64 hex digits, out of the recorded rows."""
    return sha256(read_state_text(connection, block).encode()).hexdigest()


def _lines(connection: Connection, block: int) -> Iterator[str]:
    past = read_past(connection, block)
    newest, newest_id, venue_hash = connection.execute(_CURSOR).one()
    at = None if past is None else (past.number, past.block_id)
    if newest_id is not None and block == newest:
        at = (newest, newest_id)
    yield from head_lines(venue_hash, at)
    if past is None:
        return
    values = past_values(past)
    for row in sorted(read_all_balances(connection, past.number)):
        yield balance_line(row.account, row.symbol, row.available, row.locked, row.withdrawing)
    yield from _order_lines(connection, values)
    for _, *withdrawal in sorted(connection.execute(_WITHDRAWALS, values)):
        yield withdrawal_line(*withdrawal)
    for _, *refund in sorted(connection.execute(_REFUNDS, values)):
        yield refund_line(*refund)
    holdings: dict[str, int] = {}
    for symbol, units in connection.execute(_HOLDINGS, values):
        holdings[symbol] = holdings.get(symbol, 0) + int(units)
    for symbol, held in sorted(holdings.items()):
        if held:
            yield escrow_line(symbol, held)


def _order_lines(connection: Connection, values: dict[str, Any]) -> Iterator[str]:
    pairs = read_pairs(connection)
    for seq, id_, account, pair_id, is_buy, price, remaining, expiry in sorted(
        connection.execute(_ORDERS, {**values, "pairs": list(pairs)})
    ):
        pair = pairs[pair_id]
        locked = pair.value(price, remaining) if is_buy else remaining
        yield order_line(
            seq=seq,
            order_id=id_,
            account=account,
            pair=f"{pair.base}/{pair.quote}",
            is_buy=is_buy,
            price=price,
            remaining=remaining,
            locked=locked,
            expiry=expiry,
        )
