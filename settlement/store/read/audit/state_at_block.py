"""The state text at the end of a past block, as the rules write it (protocol, section 11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from settlement.core.journal import state_lines
from settlement.store import schema
from settlement.store.read.accounts.balances import read_all_balances
from settlement.store.read.accounts.grants import read_grants_at
from settlement.store.read.accounts.timers import read_timers_at
from settlement.store.read.market.marks import read_window
from settlement.store.read.open_at_block import (
    OPEN_OF_PAIRS,
    WAITING_OF_PAIRS,
    join_progress,
    parameters_at,
    was_open,
)
from settlement.store.read.position import ActiveBlock, read_active_block
from settlement.store.read.settings import read_settings
from settlement.store.read.venue import PairRow, read_pairs

_o, _w, _r = schema.orders.c, schema.withdrawals.c, schema.refunds.c
_h, _c, _left = schema.holdings.c, schema.holding_changes.c, schema.left_over.c
_CURSOR = select(
    schema.cursor.c.block, schema.cursor.c.block_id, schema.cursor.c.timestamp, schema.cursor.c.venue_hash
)
_ORDERS: Select[Any] = (
    join_progress(
        select(
            schema.orders,
            schema.intents.c.id.label("id"),
            schema.accounts.c.name,
            func.coalesce(schema.order_changes.c.remaining, _o.quantity).label("then_remaining"),
            func.coalesce(schema.order_changes.c.received, 0).label("then_received"),
            func.coalesce(schema.order_changes.c.released, 0).label("then_released"),
        )
        .join(schema.intents, schema.intents.c.n == _o.intent)
        .join(schema.accounts, schema.accounts.c.id == _o.account_id)
    )
    .where(_o.seq.in_(OPEN_OF_PAIRS))
    .order_by(_o.seq)
)
_STOPS: Select[Any] = (
    select(schema.orders, schema.intents.c.id.label("id"), schema.accounts.c.name)
    .join(schema.intents, schema.intents.c.n == _o.intent)
    .join(schema.accounts, schema.accounts.c.id == _o.account_id)
    .where(_o.seq.in_(WAITING_OF_PAIRS))
    .order_by(_o.seq)
)
_WITHDRAWALS = was_open(
    select(
        *(_w.n, _w.id, schema.accounts.c.name, schema.tokens.c.symbol, _w.amount, _w.to, _w.memo),
        *(_w.return_due, _w.returning_block),
    )
    .join(schema.accounts, schema.accounts.c.id == _w.account_id)
    .join(schema.tokens, schema.tokens.c.id == _w.token_id),
    schema.withdrawals,
    _w.n,
    "last_withdrawal",
)
_REFUNDS = was_open(
    select(_r.n, _r.id, _r.account, _r.symbol, _r.quantity, _r.escrow), schema.refunds, _r.n, "last_refund"
)
_LEFT = select(_left.pair_id).where(_left.block == bindparam("block"))
_newest = schema.holding_changes.alias("newest")
_newest_block = select(func.max(_newest.c.block)).where(
    _newest.c.symbol == _h.symbol, _newest.c.block <= bindparam("past_block")
)
# An outer join, because with an inner one SQLite would start from all changes ever made.
_HOLDINGS = select(_h.symbol, func.coalesce(_c.units, "0").label("units")).select_from(
    schema.holdings.outerjoin(
        schema.holding_changes, (_c.symbol == _h.symbol) & (_c.block == _newest_block.scalar_subquery())
    )
)


def read_state_text(connection: Connection, block: int) -> str:
    """The state text at the end of a processed block; its SHA-256 is the state hash.

    The ids of blocks that are not active are not stored, except for the last processed one. For other such
    blocks it is the text of the newest active block before, as its line `block` says.
    """
    past, head = _read_head(connection, block)
    return "".join([*state_lines.head_lines(head), *map(state_lines.encode, _lines(connection, past, head))])


def read_state_hash(connection: Connection, block: int) -> str:
    """The state hash (64 hex digits) at the end of an active block."""
    return sha256(read_state_text(connection, block).encode()).hexdigest()


def _read_head(connection: Connection, block: int) -> tuple[ActiveBlock | None, state_lines.Head]:
    past = read_active_block(connection, block)
    cursor = connection.execute(_CURSOR).one()
    head = state_lines.Head(
        venue_hash=cursor.venue_hash,
        number=None if past is None else past.number,
        block_id=None if past is None else past.block_id,
        timestamp=None if past is None else past.timestamp,
        journal_hash=cursor.venue_hash if past is None else past.journal_hash,
    )
    if cursor.block_id is not None and block == cursor.block:
        head = head._replace(number=cursor.block, block_id=cursor.block_id, timestamp=cursor.timestamp)
    return past, head


def _lines(
    connection: Connection, past: ActiveBlock | None, head: state_lines.Head
) -> Iterator[state_lines.StateLine]:
    yield state_lines.Last(0, 0) if past is None else state_lines.Last(past.last_seq, past.last_trade)
    settings = read_settings(connection, _start(connection) if past is None else past.number)
    yield from (line for line in (settings.rules, settings.upgrade) if line is not None)
    yield from (token for _, token in sorted(settings.tokens.items()))
    yield from (pair for _, pair in sorted(settings.pairs.items()))
    if past is None:
        return
    owed = set()
    values = parameters_at(past)
    for row in sorted(read_all_balances(connection, past.number)):
        owed.add(row.symbol)
        yield state_lines.Balance(row.account, row.symbol, row.available, row.locked, row.withdrawing)
    pairs = read_pairs(connection)
    yield from _order_lines(connection, values, pairs)
    yield from _stop_lines(connection, values, pairs)
    now = head.timestamp or 0
    yield from read_timers_at(connection, past, now)
    yield from read_grants_at(connection, past, now)
    yield from _payment_lines(connection, values)
    by_name = sorted((f"{pair.base}/{pair.quote}", number) for number, pair in pairs.items())
    for name, number in by_name:
        for traded in read_window(connection, number, past.number):
            yield state_lines.Mark(name, traded.block, traded.base, traded.quote)
    left = set(connection.scalars(_LEFT, {"block": head.number}))
    yield from (state_lines.Left(name) for name, number in by_name if number in left)
    for symbol, units in sorted(tuple(row) for row in connection.execute(_HOLDINGS, values)):
        if units != "0" or symbol in owed:
            yield state_lines.Escrow(symbol, units)


def _start(connection: Connection) -> int:
    """The block before the venue's first: that of the settings out of its file."""
    return int(connection.execute(select(func.min(schema.settings.c.block))).scalar_one())


def _payment_lines(
    connection: Connection, values: dict[str, Any]
) -> Iterator[state_lines.Withdrawal | state_lines.Refund]:
    for row in sorted(connection.execute(_WITHDRAWALS, values), key=lambda row: row.n):
        is_returning = row.returning_block is not None and row.returning_block <= values["past_block"]
        due = row.return_due if is_returning else None
        yield state_lines.Withdrawal(row.id, row.name, row.symbol, row.amount, row.to, row.memo, due)
    for _, *refund in sorted(connection.execute(_REFUNDS, values), key=lambda row: row.n):
        yield state_lines.Refund(*refund)


def _side(order: Any) -> str:
    return "buy" if order.is_buy else "sell"


def _order_lines(
    connection: Connection, values: dict[str, Any], pairs: dict[int, PairRow]
) -> Iterable[state_lines.Order]:
    for order in connection.execute(_ORDERS, {**values, "pairs": list(pairs)}):
        pair, remaining = pairs[order.pair_id], order.then_remaining
        yield state_lines.Order(
            seq=order.seq,
            id=order.id,
            account=order.name,
            pair=f"{pair.base}/{pair.quote}",
            side=_side(order),
            price=order.price,
            quantity=order.quantity,
            remaining=remaining,
            locked=pair.value(order.price, remaining) if order.is_buy else remaining,
            received=order.then_received,
            released=order.then_released,
            expiry=order.expiry,
            maker_fee_bps=order.maker_fee_bps,
            taker_fee_bps=order.taker_fee_bps,
            settle="wallet" if order.to_wallet else "venue",
            stop_price=order.stop_price,
            stop_limit=order.stop_limit,
        )


def _stop_lines(
    connection: Connection, values: dict[str, Any], pairs: dict[int, PairRow]
) -> Iterable[state_lines.Stop]:
    for stop in connection.execute(_STOPS, {**values, "pairs": list(pairs)}):
        pair = pairs[stop.pair_id]
        yield state_lines.Stop(
            seq=stop.seq,
            id=stop.id,
            account=stop.name,
            pair=f"{pair.base}/{pair.quote}",
            side=_side(stop),
            type="market" if stop.market else "limit",
            price=stop.price,
            quantity=stop.quantity,
            locked=pair.lock(is_buy=stop.is_buy, market=stop.market, price=stop.price, units=stop.quantity),
            expiry=stop.expiry,
            taker_fee_bps=stop.taker_fee_bps,
            when="above" if stop.above else "below",
            trigger_price=stop.trigger_price,
            time_in_force=schema.TIMES_IN_FORCE[stop.time_in_force],
            post="post" if stop.post_only else None,
        )
