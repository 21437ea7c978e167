"""Rows → engine: a restart at any block continues to the same hashes as if there had been none."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, select

from settlement.engine import Engine as Rules
from settlement.events import BlockHeader
from settlement.invariants import check_all
from settlement.model import Order, Refund, Withdrawal, wallet_of
from settlement.state import State
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.queries.open_orders import is_open
from settlement.store.recorder import Recorder
from settlement.trading import rest
from settlement.venue import PairRules, TokenRules, Venue, VenueError, parse_venue

STREAM: Final = {"yield_per": 10_000}
"""Rows come so many at a time, not all at once."""


def load(engine: Engine, venue: Venue | None = None) -> Rules:
    """The engine as the database's last block left it; checked in full before anything is built on it.

    Without a venue, the one that the database was made with. Raises StoreError for a database of
    another venue, or one without any.
    """
    with engine.connect() as connection:
        return load_from(connection, venue)


def load_from(connection: Connection, venue: Venue | None = None) -> Rules:
    """The same, within the connection's transaction."""
    cursor = connection.execute(select(schema.cursor)).one_or_none()
    if cursor is None:
        raise StoreError("the database holds no venue yet: name its file with --venue")
    state = State(_agreed_venue(cursor, venue))
    _restore_rules(connection, cursor, state)
    _restore_money(connection, state)
    _restore_orders(connection, state)
    _restore_claims(connection, state)
    check_all(state)
    return Rules(state.venue, state)


def open_engine(engine: Engine, venue: Venue | None = None) -> tuple[Rules, Recorder]:
    """The engine and the recorder of a database that may still be empty, for its one writer."""
    with engine.connect() as connection:
        is_empty = connection.execute(select(schema.cursor.c.id)).one_or_none() is None
    if not is_empty or venue is None:
        rules = load(engine, venue)
        return rules, Recorder(engine, rules.state)
    rules = Rules(venue)
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
        pair = state.pairs.get((row.base, row.quote))
        if pair is None:
            pair = state.add_pair(PairRules(row.base, row.quote, row.price_decimals, row.quantity_decimals))
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


def _restore_money(connection: Connection, state: State) -> None:
    b, accounts, tokens = schema.balances, schema.accounts, schema.tokens
    query = select(accounts.c.name, tokens.c.symbol, b.c.available, b.c.locked, b.c.withdrawing, b.c.escrow)
    wallets = b.join(accounts, b.c.account_id == accounts.c.id).join(tokens, b.c.token_id == tokens.c.id)
    for name, symbol, *buckets in connection.execute(query.select_from(wallets).execution_options(**STREAM)):
        wallet = wallet_of(state.account(name), symbol)
        wallet.buckets = buckets
        wallet.checked = sum(buckets)
        wallet.checked_locked, wallet.checked_withdrawing = buckets[1], buckets[2]
    for row in connection.execute(select(schema.holdings)):
        state.holdings[row.escrow, row.symbol] = int(row.units)


def _restore_orders(connection: Connection, state: State) -> None:
    """Open orders by sequence, so that each level has its time priority again."""
    o, pairs = schema.orders, schema.pairs
    query = (
        select(o, schema.intents.c.id, schema.accounts.c.name, pairs.c.base, pairs.c.quote)
        .select_from(
            o.join(schema.accounts, o.c.account_id == schema.accounts.c.id)
            .join(pairs, o.c.pair_id == pairs.c.id)
            .join(schema.intents, o.c.intent == schema.intents.c.n)
        )
        .where(is_open(o.c.status))
        .order_by(o.c.seq)
    )
    for row in connection.execute(query.execution_options(**STREAM)):
        order = Order(
            row.id,
            state.account(row.name),
            state.pairs[row.base, row.quote],
            is_buy=row.is_buy,
            market=row.market,
            price=row.price,
            quantity=row.quantity,
            expiry=row.expiry,
            to_wallet=row.to_wallet,
        )
        order.seq = row.seq
        order.remaining = row.remaining
        order.locked = order.checked_locked = row.locked
        order.received, order.released = row.received, row.released
        rest(state, order)


def _restore_claims(connection: Connection, state: State) -> None:
    w, r = schema.withdrawals, schema.refunds
    query = (
        select(w, schema.accounts.c.name, schema.tokens.c.symbol)
        .join(schema.accounts, schema.accounts.c.id == w.c.account_id)
        .join(schema.tokens, schema.tokens.c.id == w.c.token_id)
        .where(is_open(w.c.status))
        .order_by(w.c.n)
    )
    for row in connection.execute(query):
        wallet = wallet_of(state.account(row.name), row.symbol)
        state.withdrawals.open(Withdrawal(row.n, row.id, wallet, row.amount, row.to, row.memo))
    for row in connection.execute(select(r).where(is_open(r.c.status)).order_by(r.c.n)):
        state.refunds.open(
            Refund(row.n, row.id, row.account, row.chain, row.symbol, row.quantity, row.value, row.escrow)
        )
