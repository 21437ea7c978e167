"""Closing orders and stops: cancel, cancel-all, timers, expiry, settlement to the wallet (sections 3, 5, 7).

Functions that decide an intent return the code of its rejection, in which case they have changed nothing, or
None.
"""

from __future__ import annotations

from settlement.core.accounts import AVAILABLE, LOCKED
from settlement.core.codes import Code
from settlement.core.custody import MAX_PENDING_WITHDRAWALS, open_withdrawal
from settlement.core.journal import lines
from settlement.core.journal.lines import close_text
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.parsing.intents import CancelAllIntent, CancelIntent
from settlement.core.state import State
from settlement.core.trading.context import Context, accept
from settlement.core.trading.grants import drop_timer, may_touch
from settlement.core.trading.order_book import Order, Pair, Stop


def release(state: State, order: Order, amount: int) -> None:
    """Release part of an order's lock."""
    if amount:
        order.locked -= amount
        order.released = min(order.released + amount, MAX_UNITS)
        state.transfer(order.gives, LOCKED, order.gives, AVAILABLE, amount)


def close(state: State, order: Order, status: str) -> None:
    """Close an order, resting or incoming: release its lock, settle it to the wallet if it asked so."""
    close_unsettled(state, order, status)
    if order.to_wallet:
        _settle(state, order)


def close_unsettled(state: State, order: Order, status: str) -> int:
    """Close an order without a settlement to the wallet; the units that were still locked."""
    if order.level is not None:
        assert order.expiry is not None
        order.pair.side(order.is_buy).remove(order)
        del state.orders[order.id]
        del order.account.orders[order.id]
        state.expiries.discard((order.expiry, order.seq))
        if order.stop_price is not None:
            order.pair.waiting(order).remove(order)
    released = order.locked
    release(state, order, released)
    state.changes.locks[order.seq] = order
    state.changes.journal.append(close_text(order.id, status, released))
    return released


def close_stop(state: State, stop: Stop, status: str) -> None:
    """Close an open stop and release its lock."""
    del state.stops[stop.id]
    del stop.account.orders[stop.id]
    state.expiries.discard((stop.expiry, stop.seq))
    stop.pair.waiting(stop).remove(stop)
    released, stop.locked = stop.locked, 0
    state.transfer(stop.gives, LOCKED, stop.gives, AVAILABLE, released)
    state.changes.locks[stop.seq] = stop
    state.write(lines.Close(stop.id, status, released))


def close_any(state: State, waiting: Order | Stop, status: str) -> None:
    """Close an open order or stop."""
    if isinstance(waiting, Order):
        close(state, waiting, status)
    else:
        close_stop(state, waiting, status)


def _settle(state: State, order: Order) -> None:
    """Withdraw what a closed order received and released, as far as available and allowed (section 7)."""
    amounts = (
        (order.gives, min(order.released, order.gives.available)),
        (order.receives, min(order.received, order.receives.available)),
    )
    for balance, amount in sorted(amounts, key=lambda item: item[0].symbol):
        is_enough = amount >= state.tokens[balance.symbol].min_withdrawal
        if is_enough and state.withdrawals.count_of[balance.account] < MAX_PENDING_WITHDRAWALS:
            open_withdrawal(
                state, f"{order.id}#{balance.symbol}", balance, amount, to=balance.account, memo=None
            )


def cancel(state: State, context: Context, intent: CancelIntent) -> Code | None:
    """Close an open order or stop of the account; also in a paused pair."""
    found = state.orders.get(intent.id) or state.stops.get(intent.id)
    if found is None:
        return Code.E_NOT_FOUND
    if found.account is not context.account:
        return Code.E_OWNER
    if not may_touch(context.grant, found):
        return Code.E_GRANT
    accept(state, context, "cancel")
    close_any(state, found, "cancelled")
    return None


def cancel_all(state: State, context: Context, intent: CancelAllIntent) -> Code | None:
    """Close the account's open orders and stops by sequence: all, or those of a base, a quote or a pair."""
    symbol, quote = intent.symbol, intent.quote

    def fits(pair: Pair) -> bool:
        return symbol in (None, pair.base.symbol) and quote in (None, pair.quote.symbol)

    if (symbol, quote) != (None, None) and not any(map(fits, state.pairs.values())):
        return Code.E_PAIR
    accept(state, context, "cancelAll")
    found = [order for order in context.account.orders.values() if may_touch(context.grant, order)]
    for waiting in sorted(found, key=lambda waiting: waiting.seq):
        if fits(waiting.pair):
            close_any(state, waiting, "cancelled")
    return None


def fire_timers(state: State, now: int) -> None:
    """Fire the timers that are due, by (due, account, how they were set): cancel their orders (section 3)."""
    while (key := state.timer_ends.first_key()) is not None and key[0] <= now:
        timer = state.timer_ends.items[key]
        account = timer.account
        drop_timer(state, timer)
        state.write(lines.Timeout(account.name, timer.by))
        grant = state.grants.get((account.name, timer.by))
        orders = [order for order in account.orders.values() if isinstance(order, Order)]
        for order in sorted(orders, key=lambda order: order.seq):
            if may_touch(grant, order):
                close(state, order, "cancelled")


def expire(state: State, now: int) -> None:
    """Close every order and stop whose time has come, by (expiry, sequence) (section 3, step 1)."""
    while (key := state.expiries.first_key()) is not None and key[0] <= now:
        waiting = state.expiries.items[key]
        state.write(lines.Expire(waiting.id))
        close_any(state, waiting, "expired")
