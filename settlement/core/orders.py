"""Life of an order: place, cancel, replace, expire (protocol, sections 4 to 6).

Functions that decide an intent return a rejection code, and have changed nothing then, or their result.
"""

from __future__ import annotations

from typing import Final

from settlement.core.accounts import AVAILABLE, LOCKED, Account
from settlement.core.codes import Code
from settlement.core.custody import open_withdrawal
from settlement.core.journal.entries import OrderClosed, OrderExpired, OrderPlaced
from settlement.core.matching import MatchEnd, match_order, preview_match, release
from settlement.core.order_book import Order, Pair
from settlement.core.parsing.amounts import MAX_UNITS, Decimal, to_units
from settlement.core.parsing.intents import CancelAllIntent, CancelIntent, OrderIntent, ReplaceIntent
from settlement.core.state import InvariantError, State

DEFAULT_QUOTE: Final = "SWAP.HIVE"


def place(state: State, intent_id: str, signer: str, intent: OrderIntent, now: int) -> Order | Code:
    """Decide a new order by the checks of section 4, in their order; then match it, and rest or close it."""
    pair = find_pair(state, intent.symbol, intent.quote)
    if pair is None:
        return Code.E_PAIR
    account = state.account(signer)
    order = _draft(state, intent_id, account, pair, intent, now)
    if isinstance(order, Code):
        return order
    if not order.market and len(account.orders) >= state.max_open_orders:
        return Code.E_LIMIT
    code = _check_book(order, intent)
    if code is not None:
        return code
    if order.locked > order.gives.buckets[AVAILABLE]:
        return Code.E_FUNDS
    _enter(state, order, intent.time_in_force)
    return order


def find_pair(state: State, symbol: str, quote: str | None) -> Pair | None:
    """The pair that an intent names. Without a quote: the base's only pair, else its pair with SWAP.HIVE."""
    if quote is None:
        quotes = state.quotes_of.get(symbol, ())
        quote = quotes[0] if len(quotes) == 1 else DEFAULT_QUOTE
    return state.pairs.get((symbol, quote))


def _draft(
    state: State, order_id: str, account: Account, pair: Pair, intent: OrderIntent, now: int
) -> Order | Code:
    """The order of an intent, after the checks of status, precision and range.

    Its `locked` says what it will lock (section 5); nothing is locked yet.
    """
    if pair.status != "active":
        return Code.E_PAUSED
    is_budget = intent.market and intent.is_buy
    quantity = to_units(intent.quantity, (pair.quote if is_budget else pair.base).precision)
    price = None if intent.price is None else to_units(intent.price, pair.price_decimals)
    if quantity is None or (not is_budget and quantity % pair.lot_units):
        return Code.E_PRECISION
    if price is None and intent.price is not None:
        return Code.E_PRECISION
    if quantity > MAX_UNITS or (price is not None and price > MAX_UNITS):
        return Code.E_RANGE
    lifetime = state.venue.order_lifetime
    order = Order(
        id=order_id,
        account=account,
        pair=pair,
        is_buy=intent.is_buy,
        market=intent.market,
        price=price,
        quantity=quantity,
        expiry=None if intent.market else now + min(intent.expiration or lifetime, lifetime),
        to_wallet=intent.to_wallet,
    )
    order.locked = quantity if price is None or intent.market else order.required_lock
    return Code.E_RANGE if order.locked > MAX_UNITS else order


def _check_book(order: Order, intent: OrderIntent) -> Code | None:
    """The checks that depend on the order book, in their order. A plain GTC order needs none of them."""
    fill_or_kill = intent.time_in_force == "FOK"
    must_trade = order.market or intent.time_in_force == "IOC"
    cancel_incoming = order.pair.self_trade == "cancel_incoming"
    if not (intent.post_only or fill_or_kill or must_trade or cancel_incoming):
        return None
    expected = preview_match(order, enough=order.quantity if fill_or_kill else 1)
    if intent.post_only and (expected.tradable or expected.self_trade_first):
        return Code.E_POST_ONLY
    if fill_or_kill and expected.tradable < order.quantity:
        return Code.E_FOK
    if expected.self_trade_first:
        return Code.E_SELF_TRADE
    if must_trade and not expected.tradable:
        return Code.E_NO_LIQUIDITY
    return None


def _enter(state: State, order: Order, time_in_force: str) -> None:
    """Accept an order: lock its funds, match it, then rest or close it."""
    state.last_seq += 1
    order.seq = state.last_seq
    state.transfer(order.gives, AVAILABLE, order.gives, LOCKED, order.locked)
    state.changes.entries.append(OrderPlaced(order))
    state.changes.orders[order.seq] = order
    end = match_order(state, order, close)
    if end is MatchEnd.DONE:
        close(state, order, "filled")
    elif end is MatchEnd.SELF_TRADE or order.market or time_in_force != "GTC":
        close(state, order, "cancelled")
    else:
        rest(state, order)


def rest(state: State, order: Order) -> None:
    """Add an open order to the book and to every index. The loader restores orders with it too."""
    if order.id in state.orders:
        raise InvariantError(f"order {order.id} is already open: ids on a chain are unique")
    assert order.expiry is not None
    order.pair.side(order.is_buy).add(order)
    state.orders[order.id] = order
    order.account.orders[order.id] = order
    state.expiries.put((order.expiry, order.seq), order)


def close(state: State, order: Order, status: str) -> None:
    """Close an order, resting or incoming: release its lock, then withdraw its proceeds if `to_wallet`."""
    _close(state, order, status)
    if order.to_wallet:
        _settle_to_wallet(state, order, reserve=0)


def _close(state: State, order: Order, status: str) -> None:
    if order.level is not None:
        assert order.expiry is not None
        order.pair.side(order.is_buy).remove(order)
        del state.orders[order.id]
        del order.account.orders[order.id]
        state.expiries.discard((order.expiry, order.seq))
    released = order.locked
    release(state, order, released)
    order.status = status
    state.changes.orders[order.seq] = order
    state.changes.entries.append(OrderClosed(order, status, released))


def _settle_to_wallet(state: State, order: Order, reserve: int) -> None:
    """Withdraw what an order received and released, as far as it is still available (section 5).

    `reserve` units of what it gives are kept for the order that replaces it.
    """
    amounts = (
        (order.gives, min(order.released, order.gives.available - reserve)),
        (order.receives, min(order.received, order.receives.available)),
    )
    for balance, amount in sorted(amounts, key=lambda item: item[0].symbol):
        if amount > 0:
            withdrawal_id = f"{order.id}#{balance.symbol}"
            open_withdrawal(state, withdrawal_id, balance, amount, to=balance.account, memo=None)


def _own_order(state: State, signer: str, order_id: str) -> Order | Code:
    order = state.orders.get(order_id)
    if order is None:
        return Code.E_NOT_FOUND
    return order if order.account.name == signer else Code.E_OWNER


def cancel(state: State, signer: str, intent: CancelIntent) -> Code | None:
    """Cancel an open order of the signer; this works in paused pairs too."""
    order = _own_order(state, signer, intent.id)
    if isinstance(order, Code):
        return order
    close(state, order, "cancelled")
    return None


def cancel_all(state: State, signer: str, intent: CancelAllIntent) -> Code | None:
    """Cancel the signer's open orders by sequence: all, or those of a base, a quote or a pair."""
    symbol, quote = intent.symbol, intent.quote
    if (symbol, quote) != (None, None) and not any(
        symbol in (None, base) and quote in (None, other) for base, other in state.pairs
    ):
        return Code.E_PAIR
    for order in sorted(state.account(signer).orders.values(), key=lambda order: order.seq):
        if symbol in (None, order.pair.base.symbol) and quote in (None, order.pair.quote.symbol):
            close(state, order, "cancelled")
    return None


def replace(state: State, intent_id: str, signer: str, intent: ReplaceIntent, now: int) -> Order | Code:
    """Cancel and place anew in one step. If the new order would be rejected, the old one stays."""
    old = _own_order(state, signer, intent.id)
    if isinstance(old, Code):
        return old
    pair = old.pair
    assert old.price is not None
    new = OrderIntent(
        symbol=pair.base.symbol,
        quote=pair.quote.symbol,
        is_buy=old.is_buy,
        market=False,
        quantity=intent.quantity or Decimal(old.remaining, pair.base.precision),
        price=intent.price or Decimal(old.price, pair.price_decimals),
        to_wallet=old.to_wallet,
    )
    order = _draft(state, intent_id, old.account, pair, new, now)
    if isinstance(order, Code):
        return order
    if len(old.account.orders) - 1 >= state.max_open_orders:
        return Code.E_LIMIT
    code = _check_book(order, new)
    if code is not None:
        return code
    if order.locked > order.gives.available + old.locked:
        return Code.E_FUNDS
    _close(state, old, "cancelled")
    if old.to_wallet:
        _settle_to_wallet(state, old, reserve=order.locked)
    _enter(state, order, new.time_in_force)
    return order


def expire_orders(state: State, now: int) -> None:
    """Close every order whose expiry has passed, by (expiry, sequence) (section 6)."""
    while (key := state.expiries.first_key()) is not None and key[0] <= now:
        order = state.expiries.items[key]
        state.changes.entries.append(OrderExpired(order))
        close(state, order, "expired")
