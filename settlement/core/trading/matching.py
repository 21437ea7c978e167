"""Price-time priority matching: who trades with whom, how much, at what price (protocol, section 7).

`match_order` executes an incoming order against the book; `preview_match` is its dry run, for orders whose
acceptance depends on the book.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from settlement.core.accounts import AVAILABLE, LOCKED, balance_of
from settlement.core.journal.lines import trade_text
from settlement.core.parsing.amounts import BPS, MAX_UNITS
from settlement.core.state import State
from settlement.core.trading.closing import close, release
from settlement.core.trading.order_book import BookSide, Order

FOK_ORDERS: Final = 1_000
"""How many resting orders a fill-or-kill order may count, own ones included."""


def match_order(state: State, taker: Order, block: int) -> str:
    """Match an incoming order, whose lock is taken, against the book, in that block; returns its status.

    `filled`: nothing of it remains, or its budget does not buy one lot at the next price. `open`: no resting
    order is left within its limit or worst price. `cancelled`: it met an order of its own account under
    `cancel_incoming`.
    """
    pair = taker.pair
    side = pair.side(not taker.is_buy)
    while taker.remaining:
        maker = side.best()
        if maker is None or not _crosses(taker, maker):
            return "open"
        price = trade_price(taker, maker)
        quantity = min(_open_quantity(taker, price), maker.remaining)
        if quantity == 0:
            return "filled"
        if maker.account is taker.account and pair.self_trade != "allow":
            if pair.self_trade == "cancel_incoming":
                return "cancelled"
            close(state, maker, "cancelled")
            continue
        _trade(state, taker, maker, price=price, quantity=quantity, block=block)
        if maker.remaining == 0:
            close(state, maker, "filled")
    return "filled"


def trade_price(taker: Order, maker: Order) -> int:
    """The price in ticks at which two orders trade, by the pair's price policy."""
    policy = taker.pair.price_policy
    assert maker.price is not None
    if policy == "maker" or taker.price is None or taker.fired_fee_bps is not None:
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


def _trade(state: State, taker: Order, maker: Order, *, price: int, quantity: int, block: int) -> None:
    """One fill: pay from the locks, take fees, release what the buyer's limit locked above the price."""
    pair = taker.pair
    quote_amount = pair.value(price, quantity)
    taker_bps, maker_bps = _taker_fee_bps(taker), min(pair.maker_fee_bps, maker.maker_fee_bps)
    if taker.is_buy:
        buyer, seller, buyer_bps, seller_bps = taker, maker, taker_bps, maker_bps
    else:
        buyer, seller, buyer_bps, seller_bps = maker, taker, maker_bps, taker_bps
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
    changes = state.changes
    changes.traded[pair.name] = pair
    if maker.account is not taker.account:
        assert maker.price is not None
        at_maker_price = quote_amount if price == maker.price else pair.value(maker.price, quantity)
        pair.mark.add(block, quantity, at_maker_price)
    state.last_trade += 1
    changes.locks[maker.seq] = maker
    changes.journal.append(
        trade_text(
            state.last_trade,
            taker.id,
            maker.id,
            buyer.account.name,
            seller.account.name,
            pair.name,
            price,
            quantity,
            quote_amount,
            buyer_fee,
            seller_fee,
        )
    )


def _taker_fee_bps(taker: Order) -> int:
    now = taker.pair.taker_fee_bps
    return now if taker.fired_fee_bps is None else min(now, taker.fired_fee_bps)


def _pay(state: State, payer: Order, payee: Order, *, amount: int, fee: int) -> None:
    """Pay `amount` units out of the payer's lock: `fee` to the fee account, the rest to the payee."""
    gives, net = payer.gives, amount - fee
    payer.locked -= amount
    # Capped: units can return to a trader and be spent again, but no more than 63 bits can ever be withdrawn.
    received = payee.received + net
    payee.received = received if received < MAX_UNITS else MAX_UNITS
    state.transfer(gives, LOCKED, payee.receives, AVAILABLE, net)
    if fee:
        state.transfer(gives, LOCKED, balance_of(state.fee_account, gives.symbol), AVAILABLE, fee)


class MatchPreview(NamedTuple):
    """Result of a dry run."""

    tradable: int  # base units that it could trade, counted up to what was asked for
    self_trade_first: bool  # under `cancel_incoming` it would meet its own account's order before any trade


def preview_match(order: Order, *, enough: int, most_orders: int | None) -> MatchPreview:
    """Dry run of `match_order`: counts tradable base units up to `enough`, over at most `most_orders` orders.

    `most_orders` None: over all. Own orders count for nothing, except under `allow` (section 7).
    """
    policy = order.pair.self_trade
    tradable = 0
    for count, resting in enumerate(_in_turn(order.pair.side(not order.is_buy))):
        if tradable >= enough or count == most_orders:
            break
        if not _crosses(order, resting) or not _open_quantity(order, trade_price(order, resting)):
            break
        if resting.account is order.account and policy != "allow":
            if policy == "cancel_incoming":
                return MatchPreview(tradable, self_trade_first=tradable == 0)
            continue
        tradable += resting.remaining
    return MatchPreview(tradable, self_trade_first=False)


def _in_turn(side: BookSide) -> Iterator[Order]:
    """The resting orders of a side in the order in which they trade."""
    for level in side.levels.ascending():
        yield from level.orders()
