"""U, the upper bound that other figures are ratios of: a bare matching loop, and a generator of operations for it.

A dictionary of levels, a deque a level with lazy cancel, a heap of prices. No funds, no fees, no journal,
no checks: what any order book in Python must at least do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple


class Op(NamedTuple):
    """An order, or the cancellation of order `target` where the price is 0."""

    id: int
    account: int
    is_buy: bool
    price: int
    quantity: int
    target: int


class Bare:
    """Price-time matching of one pair, without accounts and fees."""

    def __init__(self) -> None:
        self.levels: tuple[dict[int, deque[list[int]]], ...] = ({}, {})  # asks by price, bids by -price
        self.heaps: tuple[list[int], ...] = ([], [])
        self.open: dict[int, list[int]] = {}
        self.trades: list[tuple[int, int, int, int]] = []

    def run(self, ops: Iterable[Op]) -> None:
        for id_, _, is_buy, price, quantity, target in ops:
            if price:
                self.order(id_, is_buy, price, quantity)
            else:
                gone = self.open.pop(target, None)
                if gone is not None:
                    gone[1] = 0

    def order(self, id_: int, is_buy: bool, price: int, quantity: int) -> None:
        levels, heap = self.levels[not is_buy], self.heaps[not is_buy]
        limit = price if is_buy else -price
        while heap and heap[0] <= limit:
            level = levels[heap[0]]
            while level:
                maker = level[0]
                if maker[1] == 0:
                    level.popleft()
                    continue
                traded = min(quantity, maker[1])
                self.trades.append((id_, maker[0], abs(heap[0]), traded))
                maker[1] -= traded
                quantity -= traded
                if maker[1] == 0:
                    level.popleft()
                    del self.open[maker[0]]
                if quantity == 0:
                    return
            del levels[heappop(heap)]
        key = -price if is_buy else price
        own = self.levels[is_buy]
        resting = [id_, quantity]
        self.open[id_] = resting
        if key in own:
            own[key].append(resting)
        else:
            own[key] = deque((resting,))
            heappush(self.heaps[is_buy], key)


MID = 50_000
ACCOUNTS = 1000
AWAY, SPREAD = 8, 60
"""Distance of orders from the middle price, mean and deviation in ticks; docs/performance.md states how many trade."""


def flow(count: int, seed: int = 1, accounts: int = ACCOUNTS) -> list[Op]:
    """Orders around a drifting middle price; one operation in five cancels an open order.

    At 100,000: about 80,000 orders, 58,000 trades, 1,450 orders left open.
    """
    random, book = Random(seed), Bare()
    owners: dict[int, int] = {}
    candidates: list[int] = []
    ops: list[Op] = []
    middle = float(MID)
    for id_ in range(1, count + 1):
        middle += random.gauss(0, 1)
        if book.open and random.random() < 0.2:
            target = _open_order(random, book, candidates)
            op = Op(id_, owners[target], True, 0, 0, target)
        else:
            is_buy = random.random() < 0.5
            away = random.gauss(AWAY, SPREAD)
            price = int(middle - away if is_buy else middle + away)
            op = Op(id_, random.randrange(accounts), is_buy, price, random.randint(1, 100), 0)
            owners[id_] = op.account
            candidates.append(id_)
        book.run([op])
        ops.append(op)
    return ops


def _open_order(random: Random, book: Bare, candidates: list[int]) -> int:
    """A random open order; closed ones are removed from the candidates."""
    while True:
        at = random.randrange(len(candidates))
        if candidates[at] in book.open:
            return candidates[at]
        candidates[at] = candidates[-1]
        candidates.pop()


def wall(count: int, first_id: int) -> Iterator[Op]:
    """Resting orders far from the middle price, half of them bids, on a thousand levels a side."""
    for i in range(first_id, first_id + count):
        side = -1 if i % 2 == 0 else 1
        yield Op(i, i % ACCOUNTS, side < 0, MID + (20_000 + i % 2000 // 2) * side, 1 + i % 100, 0)
