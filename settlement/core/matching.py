"""Price-time priority matching: who trades with whom, how much, at what price (protocol, section 5).

`match_order` executes an incoming order against the book; `preview_match` is its dry run, for orders whose
acceptance depends on the book.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from settlement.core.accounts import AVAILABLE, LOCKED, balance_of
from settlement.core.journal.entries import Traded
from settlement.core.order_book import Order, PriceLevel
from settlement.core.parsing.amounts import BPS, MAX_UNITS
from settlement.core.state import State


class MatchEnd(Enum):
    """Why an incoming order stopped matching."""

    DONE = "done"
    """Nothing of it remains, or its budget does not buy one lot at the next price."""
    BOOK = "book"
    """No resting order is left within its limit or worst price."""
    SELF_TRADE = "self_trade"
    """It met an order of its own account under `cancel_incoming`."""


def match_order(state: State, taker: Order, close: Callable[[State, Order, str], None]) -> MatchEnd:
    """Match an incoming order, whose lock is taken, against the book.

    `close` closes a resting order that is filled, or cancelled by the self-trade policy.
    """
    pair = taker.pair
    side = pair.side(not taker.is_buy)
    while taker.remaining:
        maker = side.best()
        if maker is None or not _crosses(taker, maker):
            return MatchEnd.BOOK
        price = trade_price(taker, maker)
        quantity = min(_open_quantity(taker, price), maker.remaining)
        if quantity == 0:
            return MatchEnd.DONE
        if maker.account is taker.account and pair.self_trade != "allow":
            if pair.self_trade == "cancel_incoming":
                return MatchEnd.SELF_TRADE
            close(state, maker, "cancelled")
            continue
        _trade(state, taker, maker, price=price, quantity=quantity)
        if maker.remaining == 0:
            close(state, maker, "filled")
    return MatchEnd.DONE


def trade_price(taker: Order, maker: Order) -> int:
    """The price in ticks at which two orders trade, by the pair's price policy."""
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


def _open_quantity(taker: Order, price: int) -> int:
    """Base units that the taker can still trade at that price."""
    if taker.market and taker.is_buy:
        return taker.pair.affordable(price, taker.remaining)
    return taker.remaining


def _trade(state: State, taker: Order, maker: Order, *, price: int, quantity: int) -> None:
    """One fill: pay from the locks, take fees, release what the buyer's limit locked above the price."""
    pair = taker.pair
    quote_amount = pair.value(price, quantity)
    if taker.is_buy:
        buyer, seller, buyer_bps, seller_bps = taker, maker, pair.taker_fee_bps, pair.maker_fee_bps
    else:
        buyer, seller, buyer_bps, seller_bps = maker, taker, pair.maker_fee_bps, pair.taker_fee_bps
    buyer_fee = quantity * buyer_bps // BPS
    seller_fee = quote_amount * seller_bps // BPS
    _pay(state, buyer, seller, amount=quote_amount, fee=seller_fee)
    _pay(state, seller, buyer, amount=quantity, fee=buyer_fee)
    seller.remaining -= quantity
    if buyer.market:
        buyer.remaining -= quote_amount
    else:
        assert buyer.price is not None
        buyer.remaining -= quantity
        if buyer.price != price:
            release(state, buyer, pair.value(buyer.price, quantity) - quote_amount)
    assert maker.level is not None
    maker.level.remaining -= quantity
    state.last_trade += 1
    state.changes.orders[maker.seq] = maker
    state.changes.entries.append(
        Traded(
            n=state.last_trade,
            taker=taker,
            maker=maker,
            price=price,
            quantity=quantity,
            quote_amount=quote_amount,
            buyer_fee=buyer_fee,
            seller_fee=seller_fee,
        )
    )


def _pay(state: State, payer: Order, payee: Order, *, amount: int, fee: int) -> None:
    """Pay `amount` units out of the payer's lock: `fee` to the fee account, the rest to the payee."""
    gives, net = payer.gives, amount - fee
    payer.locked -= amount
    # Capped: units can return to a trader and be spent again, but no more than 63 bits can ever be withdrawn.
    payee.received = min(payee.received + net, MAX_UNITS)
    state.transfer(gives, LOCKED, payee.receives, AVAILABLE, net)
    if fee:
        state.transfer(gives, LOCKED, balance_of(state.fee_account, gives.symbol), AVAILABLE, fee)


def release(state: State, order: Order, amount: int) -> None:
    """Release part of an order's lock."""
    if amount:
        order.locked -= amount
        order.released += amount
        state.transfer(order.gives, LOCKED, order.gives, AVAILABLE, amount)


class MatchPreview(NamedTuple):
    """Result of a dry run."""

    tradable: int  # base units that it could trade, counted up to what was asked for
    self_trade_first: bool  # under `cancel_incoming` it would meet its own account's order before any trade


def preview_match(order: Order, enough: int) -> MatchPreview:
    """Dry run of `match_order`: counts tradable base units up to `enough`.

    Own orders count only under `allow` (section 5). Costs O(price levels needed + own orders): a level is
    counted as a whole, less the account's own part.
    """
    pair = order.pair
    own = {} if pair.self_trade == "allow" else _own_units(order)
    tradable = 0
    for level in pair.side(not order.is_buy).levels.ascending():
        assert level.head is not None
        if tradable >= enough or not _crosses(order, level.head) or not _affords_a_lot(order, level.head):
            break
        if level.price in own and pair.self_trade == "cancel_incoming":
            tradable += _units_before_own(order, level, enough - tradable)
            return MatchPreview(tradable, self_trade_first=tradable == 0)
        tradable += level.remaining - own.get(level.price, 0)
    return MatchPreview(tradable, self_trade_first=False)


def _affords_a_lot(order: Order, resting: Order) -> bool:
    return _open_quantity(order, trade_price(order, resting)) > 0


def _own_units(order: Order) -> dict[int, int]:
    """Base units that the order's own account has resting on the opposite side, by price."""
    own: dict[int, int] = {}
    for resting in order.account.orders.values():
        if resting.pair is order.pair and resting.is_buy != order.is_buy and resting.price is not None:
            own[resting.price] = own.get(resting.price, 0) + resting.remaining
    return own


def _units_before_own(order: Order, level: PriceLevel, enough: int) -> int:
    """Base units of a level ahead of the account's own first order there, counted up to `enough`."""
    units = 0
    resting = level.head
    while resting is not None and resting.account is not order.account and units < enough:
        units += resting.remaining
        resting = resting.newer
    return units
