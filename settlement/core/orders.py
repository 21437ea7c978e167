"""Orders from acceptance to close: place, cancel, replace, expire (protocol, sections 4 to 6).

Each function returns the code of a rejection, in which case it has changed nothing, or its result.
"""

from __future__ import annotations

from typing import Final

from settlement.core.codes import Code
from settlement.core.custody import open_withdrawal
from settlement.core.journal.effects import Expired, OrderClosed, OrderPlaced
from settlement.core.matching import Outlook, Stop, fill, outlook, release
from settlement.core.model import AVAILABLE, LOCKED, Account, Order, Pair
from settlement.core.parsing.amounts import MAX_UNITS, Decimal, to_units
from settlement.core.parsing.requests import CancelAllRequest, CancelRequest, OrderRequest, ReplaceRequest
from settlement.core.state import InvariantError, State

DEFAULT_QUOTE: Final = "SWAP.HIVE"


def place(state: State, intent_id: str, signer: str, request: OrderRequest, now: int) -> Order | Code:
    """Decide a new order in the order of checks of section 4, then trade and rest or close it."""
    pair = find_pair(state, request.symbol, request.quote)
    if pair is None:
        return Code.E_PAIR
    account = state.account(signer)
    order = _draft(pair, account, intent_id, request, state.venue.order_lifetime, now)
    if isinstance(order, Code):
        return order
    if not order.market and len(account.orders) >= state.max_open_orders:
        return Code.E_LIMIT
    code = _book_refuses(order, request)
    if code is not None:
        return code
    if order.locked > order.gives.buckets[AVAILABLE]:
        return Code.E_FUNDS
    _enter(state, order, request.time_in_force)
    return order


def find_pair(state: State, symbol: str, quote: str | None) -> Pair | None:
    """The pair that an order names; without a quote the base's only one, else SWAP.HIVE (section 4)."""
    if quote is None:
        quotes = state.quotes_of.get(symbol, ())
        quote = quotes[0] if len(quotes) == 1 else DEFAULT_QUOTE
    return state.pairs.get((symbol, quote))


def _draft(
    pair: Pair, account: Account, order_id: str, request: OrderRequest, lifetime: int, now: int
) -> Order | Code:
    """The order that a request makes, after the tests of status, precision and range.

    Its `locked` is what it would lock (section 5); nothing is locked yet.
    """
    if pair.status != "active":
        return Code.E_PAUSED
    is_budget = request.market and request.is_buy
    precision = (pair.quote if is_budget else pair.base).precision
    quantity = to_units(request.quantity, precision)
    price = None if request.price is None else to_units(request.price, pair.price_decimals)
    if quantity is None or (not is_budget and quantity % pair.lot_units):
        return Code.E_PRECISION
    if price is None and request.price is not None:
        return Code.E_PRECISION
    if quantity > MAX_UNITS or (price is not None and price > MAX_UNITS):
        return Code.E_RANGE
    expiry = None if request.market else now + min(request.expiration or lifetime, lifetime)
    order = Order(
        order_id,
        account,
        pair,
        is_buy=request.is_buy,
        market=request.market,
        price=price,
        quantity=quantity,
        expiry=expiry,
        to_wallet=request.to_wallet,
    )
    order.locked = quantity if price is None or request.market else order.needed_units
    return Code.E_RANGE if order.locked > MAX_UNITS else order


def _book_refuses(order: Order, request: OrderRequest) -> Code | None:
    """The checks that depend on the book, in their order. Most orders need no look ahead at all."""
    fill_or_kill = request.time_in_force == "FOK"
    must_fill = order.market or request.time_in_force == "IOC"
    stops_at_own = order.pair.self_trade == "cancel_incoming"
    if not (request.post_only or fill_or_kill or must_fill or stops_at_own):
        return None
    ahead: Outlook = outlook(order, order.quantity if fill_or_kill else 1)
    if request.post_only and (ahead.tradable or ahead.meets_own_first):
        return Code.E_POST_ONLY
    if fill_or_kill and ahead.tradable < order.quantity:
        return Code.E_FOK
    if ahead.meets_own_first:
        return Code.E_SELF_TRADE
    if must_fill and not ahead.tradable:
        return Code.E_NO_LIQUIDITY
    return None


def _enter(state: State, order: Order, time_in_force: str) -> None:
    """Lock, match, then rest or close: nothing can refuse the order any more."""
    state.last_seq += 1
    order.seq = state.last_seq
    state.transfer(order.gives, AVAILABLE, order.gives, LOCKED, order.locked)
    state.out.effects.append(OrderPlaced(order))
    state.out.orders[order.seq] = order
    stop = fill(state, order, close)
    if stop is Stop.DONE:
        close(state, order, "filled")
    elif stop is Stop.SELF or order.market or time_in_force != "GTC":
        close(state, order, "cancelled")
    else:
        rest(state, order)


def rest(state: State, order: Order) -> None:
    """Put an open order on the book and into every index; the loader restores orders through it too."""
    if order.id in state.orders:
        raise InvariantError(f"order {order.id} is open already: no chain has one id twice")
    (order.pair.bids if order.is_buy else order.pair.asks).add(order)
    state.orders[order.id] = order
    order.account.orders[order.id] = order
    assert order.expiry is not None
    state.expiries.put((order.expiry, order.seq), order)


def close(state: State, order: Order, status: str) -> None:
    """Close an order, resting or incoming: release its lock, settle it to the wallet if it asked so."""
    _close(state, order, status)
    if order.to_wallet:
        _settle(state, order, reserve=0)


def _close(state: State, order: Order, status: str) -> None:
    if order.level is not None:
        assert order.expiry is not None
        (order.pair.bids if order.is_buy else order.pair.asks).remove(order)
        del state.orders[order.id]
        del order.account.orders[order.id]
        state.expiries.discard((order.expiry, order.seq))
    released = order.locked
    release(state, order, released)
    order.status = status
    state.out.orders[order.seq] = order
    state.out.effects.append(OrderClosed(order, status, released))


def _settle(state: State, order: Order, reserve: int) -> None:
    """Withdraw what an order received and released, as far as still available (section 5).

    `reserve` units of what it gives stay: a replacing order locks them.
    """
    amounts = (
        (order.gives, min(order.released, order.gives.available - reserve)),
        (order.receives, min(order.received, order.receives.available)),
    )
    for wallet, amount in sorted(amounts, key=lambda item: item[0].symbol):
        if amount > 0:
            open_withdrawal(state, f"{order.id}#{wallet.symbol}", wallet, amount, wallet.account, None)


def _own_order(state: State, signer: str, order_id: str) -> Order | Code:
    order = state.orders.get(order_id)
    if order is None:
        return Code.E_NOT_FOUND
    return order if order.account.name == signer else Code.E_OWNER


def cancel(state: State, signer: str, request: CancelRequest) -> Code | None:
    """Close an open order of the signer; also in a paused pair."""
    order = _own_order(state, signer, request.id)
    if isinstance(order, Code):
        return order
    close(state, order, "cancelled")
    return None


def cancel_all(state: State, signer: str, request: CancelAllRequest) -> Code | None:
    """Close the signer's open orders by sequence: all, or those of a base, a quote or a pair."""
    symbol, quote = request.symbol, request.quote
    if (symbol, quote) != (None, None) and not any(
        symbol in (None, base) and quote in (None, other) for base, other in state.pairs
    ):
        return Code.E_PAIR
    for order in sorted(state.account(signer).orders.values(), key=lambda order: order.seq):
        if symbol in (None, order.pair.base.symbol) and quote in (None, order.pair.quote.symbol):
            close(state, order, "cancelled")
    return None


def replace(state: State, intent_id: str, signer: str, request: ReplaceRequest, now: int) -> Order | Code:
    """Cancel and place anew as one step; where the new order would be rejected, the old one stays."""
    old = _own_order(state, signer, request.id)
    if isinstance(old, Code):
        return old
    pair = old.pair
    assert old.price is not None
    wish = OrderRequest(
        pair.base.symbol,
        pair.quote.symbol,
        old.is_buy,
        False,
        request.quantity or Decimal(old.remaining, pair.base.precision),
        request.price or Decimal(old.price, pair.price_decimals),
        to_wallet=old.to_wallet,
    )
    order = _draft(pair, old.account, intent_id, wish, state.venue.order_lifetime, now)
    if isinstance(order, Code):
        return order
    if len(old.account.orders) - 1 >= state.max_open_orders:
        return Code.E_LIMIT
    code = _book_refuses(order, wish)
    if code is not None:
        return code
    if order.locked > order.gives.available + old.locked:
        return Code.E_FUNDS
    _close(state, old, "cancelled")
    if old.to_wallet:
        _settle(state, old, reserve=order.locked)
    _enter(state, order, wish.time_in_force)
    return order


def expire(state: State, now: int) -> None:
    """Close every order whose time has come, by (expiry, sequence) (section 6)."""
    while (key := state.expiries.first_key()) is not None and key[0] <= now:
        order = state.expiries.items[key]
        state.out.effects.append(Expired(order))
        close(state, order, "expired")
