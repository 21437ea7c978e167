"""Restores the state machine from the database, so that after a restart all hashes continue unchanged."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, select

from settlement.core.accounts import Account, balance_of
from settlement.core.events import BlockHeader
from settlement.core.invariants import check_all
from settlement.core.order_book import Order
from settlement.core.orders import rest
from settlement.core.payments import Refund, Withdrawal
from settlement.core.state import State
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules, TokenRules, Venue, VenueError, parse_venue
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.read.open_at_block import is_open
from settlement.store.write.projector import Projector

_FETCH_ROWS: Final = 10_000


def load(engine: Engine, venue: Venue | None = None) -> StateMachine:
    """The state machine as of the database's last block; all invariants are checked.

    Without `venue`, the one stored in the database is used. Raises StoreError if the database has no venue
    or belongs to another one.
    """
    with engine.connect() as connection:
        return load_from(connection, venue)


def load_from(connection: Connection, venue: Venue | None = None) -> StateMachine:
    """`load` within the connection's transaction."""
    cursor = connection.execute(select(schema.cursor)).one_or_none()
    if cursor is None:
        raise StoreError("the database has no venue yet: give its file with --venue")
    state = State(_agreed_venue(cursor, venue))
    with _no_collector():
        _restore_rules(connection, cursor, state)
        accounts = _restore_money(connection, state)
        _restore_orders(connection, state, accounts)
        _restore_payments(connection, state, accounts)
        check_all(state)
    return StateMachine(state.venue, state)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Disable the garbage collector: it scans the loaded objects again and again, a third of the time with
    100,000 open orders, and none of them is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """A query's rows, fetched in batches. Unpack them: attributes by name cost more than all the rest."""
    for rows in connection.execute(query.execution_options(yield_per=_FETCH_ROWS)).partitions():
        yield from rows


def load_or_initialise(engine: Engine, venue: Venue | None = None) -> tuple[StateMachine, Projector]:
    """State machine and projector of a database, for its single writer; an empty database is initialised."""
    with engine.connect() as connection:
        is_empty = connection.execute(select(schema.cursor.c.id)).one_or_none() is None
    if not is_empty or venue is None:
        with _no_collector():
            machine = load(engine, venue)
            return machine, Projector(engine, machine.state)
    machine = StateMachine(venue)
    projector = Projector(engine, machine.state)
    projector.initialise()
    return machine, projector


def _agreed_venue(cursor: Row[Any], venue: Venue | None) -> Venue:
    if venue is None:
        try:
            venue = parse_venue(cursor.venue_text)
        except VenueError as error:
            raise StoreError(f"cannot parse the database's venue: {error}") from error
    if venue.hash != cursor.venue_hash:
        raise StoreError(
            f"the database belongs to another venue ({cursor.venue_hash[:16]}…, the file is "
            f"{venue.hash[:16]}…): use its own venue file, or another --db"
        )
    return venue


def _restore_rules(connection: Connection, cursor: Row[Any], state: State) -> None:
    for row in connection.execute(select(schema.tokens).order_by(schema.tokens.c.id)):
        if row.symbol not in state.tokens:
            state.add_token(TokenRules(row.symbol, row.precision, row.chain, row.escrow))
    for row in connection.execute(select(schema.pairs).order_by(schema.pairs.c.id)):
        if (row.base, row.quote) not in state.pairs:
            state.add_pair(PairRules(row.base, row.quote, row.price_decimals, row.quantity_decimals))
        pair = state.pairs[row.base, row.quote]
        pair.maker_fee_bps, pair.taker_fee_bps = row.maker_fee_bps, row.taker_fee_bps
        pair.price_policy, pair.self_trade, pair.status = row.price_policy, row.self_trade, row.status
    state.max_open_orders = cursor.max_open_orders
    state.fee_account = state.account(cursor.fee_account)
    state.journal_hash = cursor.journal_hash
    state.last_seq = cursor.last_seq
    state.last_trade = cursor.last_trade
    state.last_withdrawal = cursor.last_withdrawal
    state.last_refund = cursor.last_refund
    if cursor.block_id is not None:
        state.header = BlockHeader(cursor.block, cursor.block_id, cursor.timestamp)


def _restore_money(connection: Connection, state: State) -> dict[int, Account]:
    """Restore balances and holdings; returns the accounts that have a balance, by their numbers."""
    b, accounts = schema.balances, schema.accounts
    restored: dict[int, Account] = {}
    symbols = _symbols(connection)
    query = select(accounts.c.name, b).join_from(b, accounts, b.c.account_id == accounts.c.id)
    for name, number, token, *buckets in _rows(connection, query):
        account = restored.get(number)
        if account is None:
            account = restored[number] = state.account(name)
        balance = balance_of(account, symbols[token])
        balance.buckets = buckets
        balance.checked = sum(buckets)
        balance.checked_locked, balance.checked_withdrawing = buckets[1], buckets[2]
    for row in connection.execute(select(schema.holdings)):
        state.holdings[row.escrow, row.symbol] = int(row.units)
    return restored


def _symbols(connection: Connection) -> dict[int, str]:
    return {
        row.id: row.symbol for row in connection.execute(select(schema.tokens.c.id, schema.tokens.c.symbol))
    }


def _restore_orders(connection: Connection, state: State, accounts: dict[int, Account]) -> None:
    """Restore open orders by sequence, which is their time priority."""
    o, p = schema.orders.c, schema.pairs.c
    pairs = {
        n: state.pairs[base, quote] for n, base, quote in connection.execute(select(p.id, p.base, p.quote))
    }
    query = (
        select(
            *(schema.intents.c.id, o.account_id, o.pair_id, o.is_buy, o.market, o.price, o.quantity),
            *(o.expiry, o.to_wallet, o.seq, o.remaining, o.locked, o.received, o.released),
        )
        .join_from(schema.orders, schema.intents, o.intent == schema.intents.c.n)
        .where(is_open(o.status))
        .order_by(o.seq)
    )
    for order_id, account, pair, is_buy, market, price, quantity, expiry, to_wallet, *progress in _rows(
        connection, query
    ):
        order = Order(
            order_id,
            accounts[account],
            pairs[pair],
            is_buy=is_buy,
            market=market,
            price=price,
            quantity=quantity,
            expiry=expiry,
            to_wallet=to_wallet,
        )
        order.seq, order.remaining, order.locked, order.received, order.released = progress
        order.checked_locked = order.locked
        rest(state, order)


def _restore_payments(connection: Connection, state: State, accounts: dict[int, Account]) -> None:
    w, r = schema.withdrawals.c, schema.refunds.c
    symbols = _symbols(connection)
    pending = select(w.n, w.id, w.account_id, w.token_id, w.amount, w.to, w.memo)
    for n, payment_id, account, token, *payment in _rows(
        connection, pending.where(is_open(w.status)).order_by(w.n)
    ):
        balance = balance_of(accounts[account], symbols[token])
        state.withdrawals.open(Withdrawal(n, payment_id, balance, *payment))
    due = select(r.n, r.id, r.account, r.chain, r.symbol, r.quantity, r.value, r.escrow)
    for row in _rows(connection, due.where(is_open(r.status)).order_by(r.n)):
        state.refunds.open(Refund(*row))
