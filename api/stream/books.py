"""Order books out of the journal: open orders by id, added up by price. Units and ticks, as in the lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from api.stream.topics import Pair


class OutOfStep(RuntimeError):
    """The books contradict the journal or the database: they must be read anew."""


class Level(NamedTuple):
    """All orders at one price. Nothing there: amount 0."""

    amount: int
    orders: int


@dataclass(slots=True)
class Open:
    """An order that is open, or that its block is not done with. A market order, which never rests, has no
    price here, whatever its worst price is."""

    seq: int
    pair: Pair
    is_buy: bool
    price: int | None
    remaining: int


Spot = tuple[Pair, bool, int]
"""Pair, whether bids, price: where something stands in a book."""

_EMPTY = Level(0, 0)


class Books:
    """All books of the venue. A change costs O(1)."""

    def __init__(self) -> None:
        self._orders: dict[str, Open] = {}
        self._sides: dict[tuple[Pair, bool], dict[int, Level]] = {}
        self._before: dict[Spot, Level] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def side(self, pair: Pair, is_buy: bool) -> Mapping[int, Level]:
        """The levels of one side by price, in no order."""
        return self._sides.get((pair, is_buy), {})

    def level(self, spot: Spot) -> Level:
        pair, is_buy, price = spot
        return self.side(pair, is_buy).get(price, _EMPTY)

    def spots(self) -> set[Spot]:
        """Every level that stands."""
        return {(pair, is_buy, price) for (pair, is_buy), side in self._sides.items() for price in side}

    def add(self, order_id: str, order: Open) -> None:
        if order_id in self._orders:
            raise OutOfStep(f"order {order_id} is open already")
        self._orders[order_id] = order
        self._change(order, order.remaining, 1)

    def reduce(self, order_id: str, quantity: int) -> Open:
        """So many base units of an order traded."""
        order = self._find(order_id)
        if order.price is not None:
            order.remaining -= quantity
            if order.remaining < 0:
                raise OutOfStep(f"order {order_id} traded more than it had")
            self._change(order, -quantity, 0)
        return order

    def remove(self, order_id: str) -> Open:
        """An order was closed."""
        order = self._find(order_id)
        del self._orders[order_id]
        self._change(order, -order.remaining, -1)
        return order

    def take_changes(self) -> dict[Spot, Level]:
        """The levels that are others than when this was last asked, as they stand."""
        before, self._before = self._before, {}
        now = {spot: self.level(spot) for spot in before}
        return {spot: level for spot, level in now.items() if level != before[spot]}

    def _find(self, order_id: str) -> Open:
        order = self._orders.get(order_id)
        if order is None:
            raise OutOfStep(f"order {order_id} is not known")
        return order

    def _change(self, order: Open, amount: int, orders: int) -> None:
        if order.price is None:
            return
        side = self._sides.setdefault((order.pair, order.is_buy), {})
        old = side.get(order.price, _EMPTY)
        self._before.setdefault((order.pair, order.is_buy, order.price), old)
        new = Level(old.amount + amount, old.orders + orders)
        if new.orders:
            side[order.price] = new
        else:
            side.pop(order.price, None)
