"""Order books built from journal lines: open orders by id, aggregated by price. In units and ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from api.stream.topics import Pair


class OutOfSync(RuntimeError):
    """The replayed state contradicts the journal or the database, and must be loaded again."""


class Level(NamedTuple):
    """All orders of a side at one price."""

    amount: int  # base units; 0 if there is no order
    orders: int  # number of orders


@dataclass(slots=True)
class OpenOrder:
    """An order that is open, or was placed in the block being replayed."""

    seq: int
    pair: Pair
    is_buy: bool
    price: int | None  # ticks; None for a market order, which never rests
    remaining: int  # base units


LevelKey = tuple[Pair, bool, int]
"""Pair, is_buy, price in ticks."""

_EMPTY = Level(0, 0)


class OrderBooks:
    """The order books of all pairs. A change costs O(1)."""

    def __init__(self) -> None:
        self._orders: dict[str, OpenOrder] = {}
        self._sides: dict[tuple[Pair, bool], dict[int, Level]] = {}
        self._before: dict[LevelKey, Level] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def side(self, pair: Pair, is_buy: bool) -> Mapping[int, Level]:
        """The levels of one side by price, unsorted."""
        return self._sides.get((pair, is_buy), {})

    def level(self, key: LevelKey) -> Level:
        pair, is_buy, price = key
        return self.side(pair, is_buy).get(price, _EMPTY)

    def level_keys(self) -> set[LevelKey]:
        """Keys of all levels with orders."""
        return {(pair, is_buy, price) for (pair, is_buy), side in self._sides.items() for price in side}

    def add(self, order_id: str, order: OpenOrder) -> None:
        if order_id in self._orders:
            raise OutOfSync(f"order {order_id} is already open")
        self._orders[order_id] = order
        self._change(order, order.remaining, 1)

    def reduce(self, order_id: str, quantity: int) -> OpenOrder:
        """An order traded `quantity` base units."""
        order = self._find(order_id)
        if order.price is not None:
            order.remaining -= quantity
            if order.remaining < 0:
                raise OutOfSync(f"order {order_id} traded more than its remaining quantity")
            self._change(order, -quantity, 0)
        return order

    def remove(self, order_id: str) -> OpenOrder:
        """An order was closed."""
        order = self._find(order_id)
        del self._orders[order_id]
        self._change(order, -order.remaining, -1)
        return order

    def take_changes(self) -> dict[LevelKey, Level]:
        """The levels that changed since the last call, with their current values."""
        before, self._before = self._before, {}
        now = {key: self.level(key) for key in before}
        return {key: level for key, level in now.items() if level != before[key]}

    def _find(self, order_id: str) -> OpenOrder:
        order = self._orders.get(order_id)
        if order is None:
            raise OutOfSync(f"order {order_id} is unknown")
        return order

    def _change(self, order: OpenOrder, amount: int, orders: int) -> None:
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
