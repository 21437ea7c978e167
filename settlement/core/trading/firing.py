"""Firing: stops and protective stops whose price the mark has reached become orders (protocol, section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from settlement.core.codes import Code
from settlement.core.journal import lines
from settlement.core.state import State
from settlement.core.trading.closing import close_stop, close_unsettled
from settlement.core.trading.order_book import Order, Pair, Stop
from settlement.core.trading.orders import enter, last_checks

MAX_FIRED: Final = 1_000
"""The most stops and protective stops that fire in a block and pair."""


def fire(state: State, pairs: Iterable[str], *, block: int) -> None:
    """Fire in the active ones of these pairs, one pair after the other in the order of their names.

    Each round takes all that are reached at its start, by sequence. What fires may trade and move the mark:
    rounds are repeated until none fires, or MAX_FIRED have fired in the pair's block.
    """
    for name in sorted(pairs):
        pair = state.pairs[name]
        if pair.status == "active":
            while _fire_round(state, pair, block):
                pass


def _fire_round(state: State, pair: Pair, block: int) -> bool:
    """One round in a pair; whether anything fired."""
    fired = state.changes.fired
    left = MAX_FIRED - fired.get(pair.name, 0)
    if not left:
        return False
    has_fired = False
    for waiting in pair.reached():
        if not left:
            break
        if not _is_open(state, waiting):
            continue  # closed earlier in this round
        left -= 1
        has_fired = True
        state.write(lines.Trigger(waiting.id))
        if isinstance(waiting, Stop):
            _fire_stop(state, waiting, block)
        else:
            _fire_protective_stop(state, waiting, block)
    if has_fired:
        fired[pair.name] = MAX_FIRED - left
    return has_fired


def _is_open(state: State, waiting: Order | Stop) -> bool:
    if isinstance(waiting, Stop):
        return state.stops.get(waiting.id) is waiting
    return waiting.level is not None


def _fire_stop(state: State, stop: Stop, block: int) -> None:
    close_stop(state, stop, "triggered")
    order = Order(
        id=stop.id,
        account=stop.account,
        pair=stop.pair,
        is_buy=stop.is_buy,
        market=stop.market,
        price=stop.price,
        quantity=stop.quantity,
        expiry=None if stop.market else stop.expiry,
        time_in_force=stop.time_in_force,
        post_only=stop.post_only,
        fired_fee_bps=stop.taker_fee_bps,
    )
    order.locked = order.quantity if order.market else order.required_lock
    _decide(state, order, block)


def _fire_protective_stop(state: State, old: Order, block: int) -> None:
    remaining = old.remaining
    released = close_unsettled(state, old, "cancelled")
    order = Order(
        id=f"{old.id}~stop",
        account=old.account,
        pair=old.pair,
        is_buy=old.is_buy,
        market=True,
        price=old.stop_limit,
        quantity=released if old.is_buy else remaining,
        expiry=None,
        time_in_force="IOC",
        fired_fee_bps=old.taker_fee_bps,
    )
    order.locked = order.quantity
    _decide(state, order, block)


def _decide(state: State, order: Order, block: int) -> None:
    """Enter a fired order, or write why it was rejected."""
    code: Code | None = last_checks(order, available=order.gives.available, waits=False)
    if code is None:
        enter(state, order, block)
    else:
        state.write(lines.Reject(order.id, order.account.name, order.action, None, code.value))
