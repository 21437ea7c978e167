"""Invariants that hold after every block, in production too (protocol, section 7).

`check_block` costs what the block touched; `check_all` recounts the whole state, at start and on demand. A
violation raises InvariantError before anything of the block is recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from settlement.core.accounts import ESCROW, LOCKED, WITHDRAWING, Balance
from settlement.core.order_book import Order, Pair
from settlement.core.state import InvariantError, State


def check_block(balances: Iterable[Balance], orders: Iterable[Order], withdrawing: Mapping[str, int]) -> None:
    """Check what a block touched: conservation, non-negative buckets, locks of orders, uncrossed books.

    `withdrawing` is the growth of pending withdrawals in this block, in units by symbol.
    """
    sums: defaultdict[str, int] = defaultdict(int)
    locks: defaultdict[str, int] = defaultdict(int)
    pending: defaultdict[str, int] = defaultdict(int)
    for balance in balances:
        buckets = balance.buckets
        available, locked, leaving, escrow = buckets
        if available < 0 or locked < 0 or leaving < 0 or escrow > 0:
            raise InvariantError(f"negative bucket: {balance.account} {balance.symbol} {buckets}")
        total = available + locked + leaving + escrow
        symbol = balance.symbol
        sums[symbol] += total - balance.checked
        balance.checked = total
        if locked != balance.checked_locked:
            locks[symbol] += locked - balance.checked_locked
            balance.checked_locked = locked
        if leaving != balance.checked_withdrawing:
            pending[symbol] += leaving - balance.checked_withdrawing
            balance.checked_withdrawing = leaving
    pairs: dict[Pair, None] = {}
    for order in orders:
        _check_order(order)
        locks[order.gives.symbol] -= order.locked - order.checked_locked
        order.checked_locked = order.locked
        pairs[order.pair] = None
    for symbol, difference in sums.items():
        if difference:
            raise InvariantError(f"{symbol} is not conserved: {difference} units too many")
    for symbol, difference in locks.items():
        if difference:
            raise InvariantError(f"{symbol}: {difference} units are locked without an order")
    for symbol in sums:
        if pending[symbol] != withdrawing.get(symbol, 0):
            raise InvariantError(f"{symbol}: {pending[symbol]} units are withdrawing without a withdrawal")
    for pair in pairs:
        _check_book(pair)


def _check_order(order: Order) -> None:
    if order.level is None:
        if order.locked:
            raise InvariantError(f"closed order {order.id} still locks {order.locked}")
    elif order.locked != order.required_lock or order.remaining <= 0:
        raise InvariantError(
            f"order {order.id} locks {order.locked}, requires {order.required_lock} for {order.remaining}"
        )


def _check_book(pair: Pair) -> None:
    bid, ask = pair.bids.best(), pair.asks.best()
    if bid is not None and ask is not None:
        assert bid.price is not None
        assert ask.price is not None
        if bid.price >= ask.price:
            raise InvariantError(f"the book of {pair.name} is crossed: {bid.price} >= {ask.price}")


def check_all(state: State) -> None:
    """Recount the whole state: every balance, order, price level, withdrawal and book."""
    sums: Counter[str] = Counter()
    locks: Counter[tuple[str, str]] = Counter()
    withdrawing: Counter[tuple[str, str]] = Counter()
    for order in state.orders.values():
        _check_order(order)
        locks[order.account.name, order.gives.symbol] += order.locked
    for withdrawal in state.withdrawals.by_id.values():
        withdrawing[withdrawal.balance.account, withdrawal.balance.symbol] += withdrawal.amount
    for account in state.accounts.values():
        for symbol, balance in account.balances.items():
            key = (account.name, symbol)
            if min(balance.buckets[:ESCROW]) < 0 or balance.buckets[ESCROW] > 0:
                raise InvariantError(f"negative bucket: {key} {balance.buckets}")
            if balance.buckets[LOCKED] != locks[key]:
                raise InvariantError(
                    f"{key} has {balance.buckets[LOCKED]} locked, its orders require {locks[key]}"
                )
            if balance.buckets[WITHDRAWING] != withdrawing[key]:
                raise InvariantError(
                    f"{key} has {balance.buckets[WITHDRAWING]} withdrawing, pending are {withdrawing[key]}"
                )
            sums[symbol] += sum(balance.buckets)
    for symbol, difference in sums.items():
        if difference:
            raise InvariantError(f"{symbol} is not conserved: {difference} units too many")
    for pair in state.pairs.values():
        _check_book(pair)
        for side in (pair.bids, pair.asks):
            for level in side.levels.items.values():
                _check_level(level.head, level.remaining, level.count)


def _check_level(order: Order | None, remaining: int, count: int) -> None:
    while order is not None:
        remaining -= order.remaining
        count -= 1
        order = order.newer
    if remaining or count:
        raise InvariantError(f"price level: totals are off by {remaining} units and {count} orders")
