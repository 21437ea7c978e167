"""Price-time matching: who trades with whom, how much, at what price (protocol, section 5).

`fill` changes things; `outlook` says beforehand what it would do, for the orders that must know.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from settlement.core.journal.effects import Traded
from settlement.core.model import AVAILABLE, LOCKED, Level, Order, wallet_of
from settlement.core.parsing.amounts import BPS, MAX_UNITS
from settlement.core.state import State


class Stop(Enum):
    """Why an incoming order stopped trading."""

    DONE = "done"
    """Nothing is left of it, or its budget cannot buy one lot at the next price."""
    BOOK = "book"
    """The book, its limit or its worst price ended it."""
    SELF = "self"
    """It met its trader's own order under `cancel_incoming`."""


def fill(state: State, taker: Order, close: Callable[[State, Order, str], None]) -> Stop:
    """Trade an incoming order, whose lock is taken, against the book.

    `close` closes a resting order that is filled, or cancelled by the self-trade policy.
    """
    pair = taker.pair
    side = pair.asks if taker.is_buy else pair.bids
    while taker.remaining:
        maker = side.best()
        if maker is None or not _crosses(taker, maker):
            return Stop.BOOK
        price = trade_price(taker, maker)
        quantity = min(_wanted(taker, price), maker.remaining)
        if quantity == 0:
            return Stop.DONE
        if maker.account is taker.account and pair.self_trade != "allow":
            if pair.self_trade == "cancel_incoming":
                return Stop.SELF
            close(state, maker, "cancelled")
            continue
        _trade(state, taker, maker, price, quantity)
        if maker.remaining == 0:
            close(state, maker, "filled")
    return Stop.DONE


def trade_price(taker: Order, maker: Order) -> int:
    """The price in ticks at which two orders trade, by the pair's policy."""
    policy = taker.pair.price_policy
    assert maker.price is not None
    if policy == "maker" or taker.price is None:
        return maker.price
    if policy == "midpoint":
        return (taker.price + maker.price) // 2
    return taker.price if (policy == "bid") == taker.is_buy else maker.price


def _crosses(taker: Order, maker: Order) -> bool:
    if taker.price is None:
        return True
    assert maker.price is not None
    return maker.price <= taker.price if taker.is_buy else maker.price >= taker.price


def _wanted(taker: Order, price: int) -> int:
    """Base units that the taker still wants at that price."""
    if taker.market and taker.is_buy:
        return taker.pair.affordable(price, taker.remaining)
    return taker.remaining


def _trade(state: State, taker: Order, maker: Order, price: int, quantity: int) -> None:
    """One fill: pay from the locks, take the fees, release what the buyer's limit locked above the price."""
    pair = taker.pair
    quote = pair.value(price, quantity)
    if taker.is_buy:
        buyer, seller, buyer_bps, seller_bps = taker, maker, pair.taker_fee_bps, pair.maker_fee_bps
    else:
        buyer, seller, buyer_bps, seller_bps = maker, taker, pair.maker_fee_bps, pair.taker_fee_bps
    buyer_fee = quantity * buyer_bps // BPS
    seller_fee = quote * seller_bps // BPS
    _deliver(state, buyer, seller, quote, seller_fee)
    _deliver(state, seller, buyer, quantity, buyer_fee)
    seller.remaining -= quantity
    if buyer.market:
        buyer.remaining -= quote
    else:
        assert buyer.price is not None
        buyer.remaining -= quantity
        if buyer.price != price:
            release(state, buyer, pair.value(buyer.price, quantity) - quote)
    assert maker.level is not None
    maker.level.remaining -= quantity
    out = state.out
    state.last_trade = n = state.last_trade + 1
    out.orders[maker.seq] = maker
    out.effects.append(Traded(n, taker, maker, price, quantity, quote, buyer_fee, seller_fee))


def _deliver(state: State, giver: Order, taker: Order, amount: int, fee: int) -> None:
    """Hand over `amount` units out of a lock, `fee` of them to the fee account."""
    gives, net = giver.gives, amount - fee
    giver.locked -= amount
    # One quote can come round and round. What settles is never more than available, hence than 63 bits.
    taker.received = min(taker.received + net, MAX_UNITS)
    state.transfer(gives, LOCKED, taker.receives, AVAILABLE, net)
    if fee:
        state.transfer(gives, LOCKED, wallet_of(state.fee_account, gives.symbol), AVAILABLE, fee)


def release(state: State, order: Order, amount: int) -> None:
    """Give back part of an order's lock."""
    if amount:
        order.locked -= amount
        order.released += amount
        state.transfer(order.gives, LOCKED, order.gives, AVAILABLE, amount)


class Outlook(NamedTuple):
    """What an incoming order would do: base units it could trade (counted up to `enough`), and whether
    it would meet its trader's own order first, under `cancel_incoming`, with nothing traded."""

    tradable: int
    meets_own_first: bool


def outlook(order: Order, enough: int) -> Outlook:
    """Look ahead without changing anything. Own orders never count, but under `allow` (section 5).

    Costs O(levels that are needed + own orders): a level is counted whole, less what is the trader's own.
    """
    pair = order.pair
    side = pair.asks if order.is_buy else pair.bids
    own = {} if pair.self_trade == "allow" else _own_units(order)
    tradable = 0
    for level in side.levels.ascending():
        assert level.head is not None
        if tradable >= enough or not _crosses(order, level.head) or not _affords_a_lot(order, level.head):
            break
        if level.price in own and pair.self_trade == "cancel_incoming":
            tradable += _units_before_own(order, level, enough - tradable)
            return Outlook(tradable, tradable == 0)
        tradable += level.remaining - own.get(level.price, 0)
    return Outlook(tradable, False)


def _affords_a_lot(order: Order, resting: Order) -> bool:
    return _wanted(order, trade_price(order, resting)) > 0


def _own_units(order: Order) -> dict[int, int]:
    """What the order's own account has resting on the opposite side: base units by price."""
    own: dict[int, int] = {}
    for resting in order.account.orders.values():
        if resting.pair is order.pair and resting.is_buy != order.is_buy and resting.price is not None:
            own[resting.price] = own.get(resting.price, 0) + resting.remaining
    return own


def _units_before_own(order: Order, level: Level, enough: int) -> int:
    """Base units of a level that stand before the trader's own order there, counted up to `enough`."""
    units = 0
    resting = level.head
    while resting is not None and resting.account is not order.account and units < enough:
        units += resting.remaining
        resting = resting.newer
    return units
