"""Invariants that hold after every block, in production too (protocol, section 8).

`check_block` costs what the block touched; `check_all` recounts the whole state, at start and on demand. A
violation raises InvariantError before anything of the block is recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from settlement.core.accounts import ESCROW, LOCKED, WITHDRAWING
from settlement.core.state import BlockChanges, InvariantError, State
from settlement.core.trading.order_book import Order, Pair, PriceLevel, Stop


def check_block(changes: BlockChanges) -> None:
    """Check what a block touched: conservation, non-negative buckets, locks, withdrawals, uncrossed books."""
    sums: defaultdict[str, int] = defaultdict(int)
    locks: defaultdict[str, int] = defaultdict(int)
    pending: defaultdict[str, int] = defaultdict(int)
    for balance in changes.balances:
        buckets = balance.buckets
        available, locked, withdrawing, escrow = buckets
        if available < 0 or locked < 0 or withdrawing < 0 or escrow > 0:
            raise InvariantError(f"a bucket is negative: {balance.account} {balance.symbol} {buckets}")
        total = available + locked + withdrawing + escrow
        symbol = balance.symbol
        balance.changed = False
        if total != balance.checked:
            sums[symbol] += total - balance.checked
            balance.checked = total
        if locked != balance.checked_locked:
            locks[symbol] += locked - balance.checked_locked
            balance.checked_locked = locked
        if withdrawing != balance.checked_withdrawing:
            pending[symbol] += withdrawing - balance.checked_withdrawing
            balance.checked_withdrawing = withdrawing
    pairs: dict[Pair, None] = {}
    for order in changes.locks.values():
        if isinstance(order, Order):
            _check_order(order)
        if order.locked != order.checked_locked:
            locks[order.gives.symbol] -= order.locked - order.checked_locked
            order.checked_locked = order.locked
        pairs[order.pair] = None
    for symbol, difference in sums.items():
        if difference:
            raise InvariantError(f"{symbol} is not conserved: the balances differ by {difference} units")
    for symbol, difference in locks.items():
        if difference:
            raise InvariantError(f"{symbol}: locked balances and orders differ by {difference} units")
    for symbol in pending | changes.withdrawing:
        if pending[symbol] != changes.withdrawing.get(symbol, 0):
            raise InvariantError(f"{symbol}: withdrawing balances and withdrawals differ")
    for pair in pairs:
        _check_book(pair)


def _check_order(order: Order) -> None:
    if order.level is None:
        if order.locked:
            raise InvariantError(f"closed order {order.id} still locks {order.locked}")
    elif order.locked != order.required_lock or order.remaining <= 0:
        raise InvariantError(
            f"order {order.id} locks {order.locked}, needs {order.required_lock} for {order.remaining}"
        )


def _check_book(pair: Pair) -> None:
    bid, ask = pair.bids.best(), pair.asks.best()
    if bid is not None and ask is not None:
        assert bid.price is not None
        assert ask.price is not None
        if bid.price >= ask.price:
            raise InvariantError(f"the book of {pair.name} is crossed: {bid.price} >= {ask.price}")


def check_all(state: State) -> None:
    """Recount the whole state: every balance, order, stop, level, index, pending payment and book."""
    sums: Counter[str] = Counter()
    locks: Counter[tuple[str, str]] = Counter()
    withdrawing: Counter[tuple[str, str]] = Counter()
    waiting: list[Order | Stop] = [*state.orders.values(), *state.stops.values()]
    for order in waiting:
        if isinstance(order, Order):
            _check_order(order)
        locks[order.account.name, order.gives.symbol] += order.locked
    for withdrawal in state.withdrawals.by_id.values():
        withdrawing[withdrawal.account, withdrawal.balance.symbol] += withdrawal.amount
    for account in state.accounts.values():
        for symbol, balance in account.balances.items():
            key = (account.name, symbol)
            if min(balance.buckets[:ESCROW]) < 0 or balance.buckets[ESCROW] > 0:
                raise InvariantError(f"a bucket is negative: {key} {balance.buckets}")
            if balance.buckets[LOCKED] != locks[key]:
                raise InvariantError(f"{key} locks {balance.buckets[LOCKED]}, its orders need {locks[key]}")
            if balance.buckets[WITHDRAWING] != withdrawing[key]:
                raise InvariantError(
                    f"{key} withdraws {balance.buckets[WITHDRAWING]}, its withdrawals are {withdrawing[key]}"
                )
            sums[symbol] += sum(balance.buckets)
    for symbol, difference in sums.items():
        if difference:
            raise InvariantError(f"{symbol} is not conserved: the balances differ by {difference} units")
    if len(state.expiries) != len(waiting):
        raise InvariantError(f"{len(state.expiries)} expiries for {len(waiting)} orders and stops")
    for pair in state.pairs.values():
        _check_book(pair)
        for side in (pair.bids, pair.asks):
            for level in side.levels.items.values():
                _check_level(level)
    _check_triggers(state)


def _check_level(level: PriceLevel) -> None:
    remaining, count = level.remaining, level.count
    for order in level.orders():
        remaining -= order.remaining
        count -= 1
    if remaining or count:
        raise InvariantError(f"a price level's totals are off by {remaining} units and {count} orders")


def _check_triggers(state: State) -> None:
    waiting = len(state.stops) + sum(order.stop_price is not None for order in state.orders.values())
    indexed = sum(len(pair.above) + len(pair.below) for pair in state.pairs.values())
    if waiting != indexed:
        raise InvariantError(f"{indexed} triggers are indexed for {waiting} stops and protective stops")
