"""Complexity: the cost of an event does not depend on the size of the book.

Work at 2,000 and at 50,000 open orders may differ by less than a factor of two. Counted are bytecode
instructions, and comparisons of prices where the heap does the work.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from settlement.core.events import Action, BlockHeader, JsonNumber, Movement
from settlement.core.state_machine import StateMachine
from tests.unit.core.counting import Counted, comparisons, opcodes
from tests.unit.core.ledger import START, venue
from tests.unit.core.test_book import a_pair, an_order

FEW, MANY = 2_000, 50_000
SAMPLE = 200
LEVEL = "1.0000"


class Crowd:
    """An order book of n sells by one maker, at one price or at n prices."""

    def __init__(self, n: int, price: Callable[[int], str]) -> None:
        self.n = n
        self.machine = StateMachine(venue(max_open_orders=10**9))
        self.apply(
            Movement("d1", "hive-engine", "maker", "dex.pek", "PEK", "1000000", None),
            Movement("d2", "hive-engine", "taker", "dex.hive", "SWAP.HIVE", "10000000", None),
            Movement("d3", "hive-engine", "taker", "dex.pek", "PEK", "1000", None),
        )
        self.apply(*(self.order(f"m{i}", "maker", "sell", price(i), "0.01") for i in range(n)))

    def order(self, id_: str, signer: str, side: str, price: str, quantity: str, **more: object) -> Action:
        payload = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": quantity, "price": price, **more}
        return Action(id_, signer, True, side, payload)

    def apply(self, *events: Action | Movement) -> list[str]:
        number = self.machine.next_block()
        header = BlockHeader(number, f"{number:08x}", START + 3 * number)
        return self.machine.apply(header, events).text.splitlines()

    def cost(self, *events: Action | Movement) -> float:
        """Bytecode instructions per event of a block."""
        return opcodes(lambda: self.apply(*events)) / len(events)


def one_price(_: int) -> str:
    return LEVEL


def rising(i: int) -> str:
    return f"{1 + i // 10000}.{i % 10000:04d}"


@pytest.fixture(scope="module", params=[one_price, rising], ids=["one level", "a level each"])
def crowds(request: pytest.FixtureRequest) -> tuple[Crowd, Crowd]:
    """The same book with few and with many orders, shared by the tests below: each leaves at least half in place."""
    return Crowd(FEW, request.param), Crowd(MANY, request.param)


def at_most_doubles(costs: tuple[float, float]) -> None:
    few, many = costs
    assert few > 10
    assert many < 2 * few


def test_taking_orders_in_time_priority(crowds: tuple[Crowd, Crowd]) -> None:
    def take(crowd: Crowd) -> float:
        takes = [crowd.order(f"t{i}", "taker", "buy", "9.0000", "0.01") for i in range(SAMPLE)]
        cost = crowd.cost(*takes)
        assert f"m{SAMPLE - 1}" not in crowd.machine.state.orders
        assert f"m{SAMPLE}" in crowd.machine.state.orders
        return cost

    at_most_doubles((take(crowds[0]), take(crowds[1])))


def test_cancelling_the_newest_orders(crowds: tuple[Crowd, Crowd]) -> None:
    def cancel(crowd: Crowd) -> float:
        newest = range(crowd.n - 1, crowd.n - 1 - SAMPLE, -1)
        cost = crowd.cost(*(Action(f"c{i}", "maker", True, "cancel", {"id": f"m{i}"}) for i in newest))
        assert f"m{crowd.n - SAMPLE}" not in crowd.machine.state.orders
        return cost

    at_most_doubles((cancel(crowds[0]), cancel(crowds[1])))


def test_one_order_fills_many(crowds: tuple[Crowd, Crowd]) -> None:
    def sweep(crowd: Crowd) -> float:
        cost = crowd.cost(crowd.order("sweep", "taker", "buy", "9.0000", f"{SAMPLE // 100}.00"))
        assert f"m{2 * SAMPLE - 1}" not in crowd.machine.state.orders
        assert f"m{2 * SAMPLE}" in crowd.machine.state.orders
        return cost

    at_most_doubles((sweep(crowds[0]), sweep(crowds[1])))


def test_adding_and_replacing_orders(crowds: tuple[Crowd, Crowd]) -> None:
    def join(crowd: Crowd) -> float:
        joins = [crowd.order(f"j{i}", "maker", "sell", "8.0000", "0.01") for i in range(SAMPLE)]
        replaced = [
            Action(f"r{i}", "maker", True, "replace", {"id": f"j{i}", "quantity": "0.02"})
            for i in range(SAMPLE)
        ]
        return crowd.cost(*joins, *replaced)

    at_most_doubles((join(crowds[0]), join(crowds[1])))


def test_orders_that_need_a_preview(crowds: tuple[Crowd, Crowd]) -> None:
    """FOK beyond its limit, IOC below the book, post-only that would execute."""

    def look(crowd: Crowd) -> float:
        events = [
            crowd.order("k1", "taker", "buy", "1.0500", "9999.00", timeInForce="FOK"),
            crowd.order("k2", "taker", "buy", "0.5000", "1.00", timeInForce="IOC"),
            crowd.order("k3", "taker", "buy", "9.0000", "1.00", postOnly=True),
        ]
        codes = [line.split()[-1] for line in crowd.apply(*events)[1:]]
        assert codes == ["E_FOK", "E_NO_LIQUIDITY", "E_POST_ONLY"]
        return crowd.cost(*events)

    at_most_doubles((look(crowds[0]), look(crowds[1])))


def test_a_block_where_nothing_happens_costs_the_same(crowds: tuple[Crowd, Crowd]) -> None:
    costs = []
    for crowd in crowds:
        crowd.apply()  # removes discarded keys from the expiry index
        costs.append(opcodes(crowd.apply))
    assert costs[0] == costs[1] < 400


def test_a_taker_with_an_own_order_on_a_long_level() -> None:
    """An IOC needs one lot only: it must not visit 50,000 orders because one of them is its trader's own."""

    def costs(n: int) -> float:
        crowd = Crowd(n, one_price)
        crowd.apply(crowd.order("own", "taker", "sell", LEVEL, "0.01"))
        cost = crowd.cost(crowd.order("ioc", "taker", "buy", LEVEL, "0.01", timeInForce="IOC"))
        assert "m0" not in crowd.machine.state.orders
        return cost

    at_most_doubles((costs(FEW), costs(MANY // 5)))


def test_previews_over_cancelled_levels() -> None:
    """The best 90 % of the levels are cancelled: previews by IOC orders must not visit their keys."""

    def costs(n: int) -> float:
        crowd = Crowd(n, rising)
        cancels = [Action(f"c{i}", "maker", True, "cancel", {"id": f"m{i}"}) for i in range(n - 200)]
        looks = [crowd.order(f"k{i}", "taker", "buy", "0.5000", "1", timeInForce="IOC") for i in range(10)]
        before = opcodes(lambda: crowd.apply(*cancels))
        crowd = Crowd(n, rising)
        return (opcodes(lambda: crowd.apply(*cancels, *looks)) - before) / len(looks)

    at_most_doubles((costs(FEW // 4), costs(FEW * 2)))


def test_orders_that_expire_together() -> None:
    """All orders expire in one block: the cost of each is that of a single expiry, apart from log n."""

    def costs(n: int) -> float:
        crowd = Crowd(n, rising)
        header = BlockHeader(crowd.machine.next_block(), "00", START + 10**8)
        return opcodes(lambda: crowd.machine.apply(header)) / n

    at_most_doubles((costs(FEW // 10), costs(FEW * 2)))


class Waiting(Crowd):
    """A pair with a mark of 1 and n stops of one account, of which none is reached."""

    def __init__(self, n: int) -> None:
        super().__init__(0, one_price)
        self.n = n
        self.trade("first", "1.0000", "1.00")
        self.apply(*(self.stop(f"s{i}", 20_000 + i) for i in range(n)))
        assert len(self.machine.state.stops) == n

    def stop(self, id_: str, ticks: int) -> Action:
        at = f"{ticks // 10_000}.{ticks % 10_000:04d}"
        return self.order(id_, "maker", "sell", "900.0000", "0.01", triggerPrice=at, triggerWhen="above")

    def both(self, name: str, price: str, quantity: str) -> list[Action]:
        """An order each of maker and taker that trade at that price."""
        buy = self.order(f"{name}-buy", "taker", "buy", price, quantity)
        return [buy, self.order(f"{name}-sell", "maker", "sell", price, quantity)]

    def trade(self, name: str, price: str, quantity: str) -> list[str]:
        return self.apply(*self.both(name, price, quantity))


@pytest.fixture(scope="module")
def waiting() -> tuple[Waiting, Waiting]:
    return Waiting(FEW // 2), Waiting(MANY // 5)


def test_a_block_in_which_no_stop_fires_costs_nothing_for_those_that_wait(
    waiting: tuple[Waiting, Waiting],
) -> None:
    few, many = [crowd.cost(*crowd.both("quiet", "1.0000", "0.01")) for crowd in waiting]
    assert abs(few - many) < 100


def test_opening_and_cancelling_stops(waiting: tuple[Waiting, Waiting]) -> None:
    def open_and_cancel(crowd: Waiting) -> float:
        opened = [crowd.stop(f"n{i}", 20_000 + 7 * i) for i in range(SAMPLE)]
        cancelled = [Action(f"c{i}", "maker", True, "cancel", {"id": f"n{i}"}) for i in range(SAMPLE)]
        return crowd.cost(*opened, *cancelled)

    at_most_doubles((open_and_cancel(waiting[0]), open_and_cancel(waiting[1])))


def test_firing_costs_what_fires(waiting: tuple[Waiting, Waiting]) -> None:
    """The mark goes to 2012 / 1001: a hundred stops fire, whatever the number of the others."""

    def fire(crowd: Waiting) -> float:
        lines: list[str] = []
        cost = opcodes(lambda: lines.extend(crowd.trade("high", "2.0110", "1000.00")))
        assert sum(line.startswith("trigger") for line in lines) == 100
        return cost

    at_most_doubles((fire(waiting[0]), fire(waiting[1])))


def test_grants_of_others_cost_nothing() -> None:
    """An order, and a block, cost the same among 200 and among 5,000 accounts with a grant that has not ended."""

    def costs(n: int) -> tuple[float, float]:
        crowd = Crowd(0, one_price)
        terms = {
            "to": "posting",
            "pairs": ["PEK/SWAP.HIVE"],
            "perDay": {"PEK": "1"},
            "bandBps": JsonNumber("0"),
            "until": JsonNumber(str(START + 7_000_000)),
        }
        crowd.apply(*(Action(f"g{i}", f"trader{i}", True, "grant", terms) for i in range(n)))
        assert len(crowd.machine.state.grants) == n
        return crowd.cost(crowd.order("o", "maker", "sell", LEVEL, "0.01")), opcodes(crowd.apply)

    assert costs(FEW // 10) == costs(MANY // 10)


def test_a_closed_pair_costs_its_own_orders() -> None:
    """Closing an empty pair costs the same with few and with many orders in another pair."""

    def costs(n: int) -> float:
        crowd = Crowd(n, rising)
        operator = "operator"
        listed = {
            "symbol": "HBD",
            "quote": "PEK",
            "priceDecimals": JsonNumber("2"),
            "quantityDecimals": JsonNumber("3"),
        }
        crowd.apply(Action("l", operator, True, "listPair", listed))
        close = {"symbol": "HBD", "quote": "PEK", "status": "closed"}
        return crowd.cost(Action("u", operator, True, "updatePair", close))

    assert costs(20) == costs(2_000)


@pytest.mark.parametrize("prices", ["rising", "falling", "same"])
def test_comparisons_of_prices_grow_as_their_logarithm(prices: str) -> None:
    """Book side alone, counting price comparisons: add, best, remove oldest first and newest first."""

    def costs(n: int, newest_first: bool) -> float:
        pair = a_pair()
        order_of = {"rising": range(1, n + 1), "falling": range(n, 0, -1), "same": [7] * n}
        orders = [
            an_order(pair, seq, Counted(price), 1, False) for seq, price in enumerate(order_of[prices], 1)
        ]

        def fill_and_empty() -> None:
            for order in orders:
                pair.asks.add(order)
            for order in reversed(orders) if newest_first else orders:
                assert pair.asks.best() is not None
                pair.asks.remove(order)

        return comparisons(fill_and_empty) / n

    for newest_first in (False, True):
        few, many = costs(FEW, newest_first), costs(MANY, newest_first)
        assert 0 < few < 100
        assert many < 2 * few
