"""Rows → engine: a restart at any block continues to the same hashes as if there had been none."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, select

from settlement.core.events import BlockHeader
from settlement.core.invariants import check_all
from settlement.core.accounts import Account, balance_of
from settlement.core.order_book import Order
from settlement.core.payments import Refund, Withdrawal
from settlement.core.orders import rest
from settlement.core.state import State
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules, TokenRules, Venue, VenueError, parse_venue
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.read.open_at_block import is_open
from settlement.store.write.projector import Recorder

_AT_A_TIME: Final = 10_000
"""Rows that are read at once."""


def load(engine: Engine, venue: Venue | None = None) -> StateMachine:
    """The engine as the database's last block left it; checked in full before anything is built on it.

    Without a venue, the one that the database was made with. Raises StoreError for a database of
    another venue, or one without any.
    """
    with engine.connect() as connection:
        return load_from(connection, venue)


def load_from(connection: Connection, venue: Venue | None = None) -> StateMachine:
    """The same, within the connection's transaction."""
    cursor = connection.execute(select(schema.cursor)).one_or_none()
    if cursor is None:
        raise StoreError("the database holds no venue yet: name its file with --venue")
    state = State(_agreed_venue(cursor, venue))
    with _no_collector():
        _restore_rules(connection, cursor, state)
        accounts = _restore_money(connection, state)
        _restore_orders(connection, state, accounts)
        _restore_claims(connection, state, accounts)
        check_all(state)
    return StateMachine(state.venue, state)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the cyclic collector: it would look through all that is loaded, again and again, and nothing of
    it is garbage. A third of the time with 100,000 open orders."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """A query's rows, some at a time; to be unpacked, because columns by name cost more than all the rest."""
    for rows in connection.execute(query.execution_options(yield_per=_AT_A_TIME)).partitions():
        yield from rows


def open_engine(engine: Engine, venue: Venue | None = None) -> tuple[StateMachine, Recorder]:
    """The engine and the recorder of a database that may still be empty, for its one writer."""
    with engine.connect() as connection:
        is_empty = connection.execute(select(schema.cursor.c.id)).one_or_none() is None
    if not is_empty or venue is None:
        with _no_collector():
            rules = load(engine, venue)
            return rules, Recorder(engine, rules.state)
    rules = StateMachine(venue)
    recorder = Recorder(engine, rules.state)
    recorder.initialise()
    return rules, recorder


def _agreed_venue(cursor: Row[Any], venue: Venue | None) -> Venue:
    if venue is None:
        try:
            venue = parse_venue(cursor.venue_text)
        except VenueError as error:
            raise StoreError(f"the database's venue cannot be read any more: {error}") from error
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
    """Wallets and holdings; the accounts that have a wallet, by their numbers."""
    b, accounts = schema.balances, schema.accounts
    restored: dict[int, Account] = {}
    symbols = _symbols(connection)
    query = select(accounts.c.name, b).join_from(b, accounts, b.c.account_id == accounts.c.id)
    for name, number, token, *buckets in _rows(connection, query):
        account = restored.get(number)
        if account is None:
            account = restored[number] = state.account(name)
        wallet = balance_of(account, symbols[token])
        wallet.buckets = buckets
        wallet.checked = sum(buckets)
        wallet.checked_locked, wallet.checked_withdrawing = buckets[1], buckets[2]
    for row in connection.execute(select(schema.holdings)):
        state.holdings[row.escrow, row.symbol] = int(row.units)
    return restored


def _symbols(connection: Connection) -> dict[int, str]:
    return {
        row.id: row.symbol for row in connection.execute(select(schema.tokens.c.id, schema.tokens.c.symbol))
    }


def _restore_orders(connection: Connection, state: State, accounts: dict[int, Account]) -> None:
    """Open orders by sequence, so that each level has its time priority again."""
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


def _restore_claims(connection: Connection, state: State, accounts: dict[int, Account]) -> None:
    w, r = schema.withdrawals.c, schema.refunds.c
    symbols = _symbols(connection)
    pending = select(w.n, w.id, w.account_id, w.token_id, w.amount, w.to, w.memo)
    for n, claim_id, account, token, *payment in _rows(
        connection, pending.where(is_open(w.status)).order_by(w.n)
    ):
        wallet = balance_of(accounts[account], symbols[token])
        state.withdrawals.open(Withdrawal(n, claim_id, wallet, *payment))
    due = select(r.n, r.id, r.account, r.chain, r.symbol, r.quantity, r.value, r.escrow)
    for row in _rows(connection, due.where(is_open(r.status)).order_by(r.n)):
        state.refunds.open(Refund(*row))
