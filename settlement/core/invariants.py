"""What must hold after every block, whatever happened (protocol, section 7; money rules of the house).

`check_block` costs what the block touched; `check_all` recounts everything, at start and on demand.
A breach raises InvariantError: the indexer stops before anything of the block is recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from settlement.core.model import ESCROW, LOCKED, WITHDRAWING, Order, Pair, Wallet
from settlement.core.state import InvariantError, State


def check_block(wallets: Iterable[Wallet], orders: Iterable[Order], withdrawing: Mapping[str, int]) -> None:
    """Conservation, no negative bucket, locks that fit their orders, uncrossed books: what a block touched.

    `withdrawing` is, by symbol, by how much the pending withdrawals grew in this block.
    """
    sums: defaultdict[str, int] = defaultdict(int)
    locks: defaultdict[str, int] = defaultdict(int)
    pending: defaultdict[str, int] = defaultdict(int)
    for wallet in wallets:
        buckets = wallet.buckets
        available, locked, leaving, escrow = buckets
        if available < 0 or locked < 0 or leaving < 0 or escrow > 0:
            raise InvariantError(f"a bucket is negative: {wallet.account} {wallet.symbol} {buckets}")
        total = available + locked + leaving + escrow
        symbol = wallet.symbol
        sums[symbol] += total - wallet.checked
        wallet.checked = total
        if locked != wallet.checked_locked:
            locks[symbol] += locked - wallet.checked_locked
            wallet.checked_locked = locked
        if leaving != wallet.checked_withdrawing:
            pending[symbol] += leaving - wallet.checked_withdrawing
            wallet.checked_withdrawing = leaving
    pairs: dict[Pair, None] = {}
    for order in orders:
        _check_order(order)
        locks[order.gives.symbol] -= order.locked - order.checked_locked
        order.checked_locked = order.locked
        pairs[order.pair] = None
    for symbol, difference in sums.items():
        if difference:
            raise InvariantError(f"{symbol} does not conserve: {difference} units out of nowhere")
    for symbol, difference in locks.items():
        if difference:
            raise InvariantError(f"{symbol} is locked without an order: {difference} units")
    for symbol in sums:
        if pending[symbol] != withdrawing.get(symbol, 0):
            raise InvariantError(f"{symbol} is withdrawing without a withdrawal: {pending[symbol]} units")
    for pair in pairs:
        _check_book(pair)


def _check_order(order: Order) -> None:
    if order.level is None:
        if order.locked:
            raise InvariantError(f"closed order {order.id} still locks {order.locked}")
    elif order.locked != order.needed_units or order.remaining <= 0:
        raise InvariantError(
            f"order {order.id} locks {order.locked}, needs {order.needed_units} for {order.remaining}"
        )


def _check_book(pair: Pair) -> None:
    bid, ask = pair.bids.best(), pair.asks.best()
    if bid is not None and ask is not None:
        assert bid.price is not None
        assert ask.price is not None
        if bid.price >= ask.price:
            raise InvariantError(f"the book of {pair.name} is crossed: {bid.price} >= {ask.price}")


def check_all(state: State) -> None:
    """Recount the whole state: every wallet, order, level, index, claim and book."""
    sums: Counter[str] = Counter()
    locks: Counter[tuple[str, str]] = Counter()
    withdrawing: Counter[tuple[str, str]] = Counter()
    for order in state.orders.values():
        _check_order(order)
        locks[order.account.name, order.gives.symbol] += order.locked
    for claim in state.withdrawals.by_id.values():
        withdrawing[claim.wallet.account, claim.wallet.symbol] += claim.amount
    for account in state.accounts.values():
        for symbol, wallet in account.wallets.items():
            key = (account.name, symbol)
            if min(wallet.buckets[:ESCROW]) < 0 or wallet.buckets[ESCROW] > 0:
                raise InvariantError(f"a bucket is negative: {key} {wallet.buckets}")
            if wallet.buckets[LOCKED] != locks[key]:
                raise InvariantError(f"{key} locks {wallet.buckets[LOCKED]}, its orders need {locks[key]}")
            if wallet.buckets[WITHDRAWING] != withdrawing[key]:
                raise InvariantError(f"{key} withdraws {wallet.buckets[WITHDRAWING]}, not {withdrawing[key]}")
            sums[symbol] += sum(wallet.buckets)
    for symbol, difference in sums.items():
        if difference:
            raise InvariantError(f"{symbol} does not conserve: {difference} units out of nowhere")
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
        raise InvariantError(f"a price level's totals are off by {remaining} units and {count} orders")
