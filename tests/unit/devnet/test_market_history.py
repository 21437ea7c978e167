"""The history of a demo's market: deterministic, without gaps, accepted by the rules, and continued by bots."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import pytest

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.market import Market
from indexer.devnet.traders.market_history import MAX_DAYS, MarketHistory, first_second
from indexer.devnet.traders.prices import CalmPrices, reference_price
from indexer.devnet.venue import EXAMPLE, demo_venue, read_venue
from settlement.core.journal.lines import Accept, Line, Reject, Trade
from settlement.core.state_machine import StateMachine
from settlement.core.venue import parse_venue
from settlement.store.read.market.candles import DAY, HOUR, INTERVALS, MINUTE, start_of

TEXT = demo_venue(EXAMPLE.read_text("utf-8"))
VENUE = read_venue(TEXT)
END = 1_790_000_001
DOCS = (Path(__file__).resolve().parents[3] / "docs" / "devnet.md").read_text("utf-8")
FIRST = f"{VENUE.pairs[0].base}/{VENUE.pairs[0].quote}"


class Told(NamedTuple):
    """A chain with a history, and what the rules make of it."""

    node: DevNode
    market: Market
    machine: StateMachine
    lines: list[Line]
    trades: list[tuple[int, Trade]]  # with the time of the block

    def read(self, first: int) -> None:
        """Apply the blocks from this number on."""
        for number in range(first, self.node.chain.head + 1):
            block = Block(self.node.chain.stored(number))
            raw = self.node.sidechain.block_of_hive(number)
            events = decode(block, self.machine.venue_filter, None if raw is None else Receipts(raw))
            lines = list(self.machine.apply(block.header, events).lines())
            self.lines.extend(lines)
            self.trades.extend([(block.timestamp, line) for line in lines if isinstance(line, Trade)])


def history_of(days: int, *, seed: int = 0, end: int = END, bots: bool = False) -> Told:
    node = DevNode(Chain(seed=seed, genesis=first_second(end, days), sign=False), Sidechain(heartbeat=0))
    node.tick()
    node.prepare(VENUE)
    market = Market(node, VENUE, seed=seed, bots=bots, history_days=days, end=end)
    market.open()
    told = Told(node, market, StateMachine(parse_venue(TEXT)), [], [])
    told.read(1)
    return told


@pytest.fixture(scope="module")
def year() -> Told:
    return history_of(MAX_DAYS)


def test_the_same_seed_and_end_give_the_same_journal() -> None:
    def journal(seed: int = 0, end: int = END) -> str:
        return history_of(1, seed=seed, end=end).machine.state.journal_hash

    once = journal()
    assert journal() == once
    assert len({once, journal(seed=1), journal(end=END + 3)}) == 3


def test_the_rules_accept_every_order_and_all_are_filled(year: Told) -> None:
    assert not [line for line in year.lines if isinstance(line, Reject)]
    assert len([line for line in year.lines if isinstance(line, Accept)]) > 20_000
    assert not year.machine.state.orders


def test_the_blocks_end_at_the_end_and_lie_whole_slots_apart(year: Told) -> None:
    chain = year.node.chain
    times = [msgspec.json.decode(chain.stored(number))["timestamp"] for number in range(1, chain.head + 1)]
    assert times == sorted(set(times))
    seconds = [Block(chain.stored(number)).timestamp for number in range(1, chain.head + 1)]
    assert seconds[-1] == END
    assert seconds[0] >= END - MAX_DAYS * DAY - HOUR
    assert all((later - earlier) % chain.block_time == 0 for earlier, later in pairwise(seconds))


def ages() -> Iterator[tuple[int, int, dict[str, int]]]:
    """The table of docs/devnet.md: oldest age, seconds between blocks, and every how many each pair trades."""
    units = {"minute": MINUTE, "minutes": MINUTE, "hour": HOUR, "hours": HOUR, "day": DAY, "days": DAY}
    ordinals = {"each": 1, "every second": 2, "every third": 3}
    rows = re.findall(
        r"^\| up to (a|\d+) (\w+) \| one (?:a|an|in (\d+)) (\w+) \| in ([a-z ]+) \| in ([a-z ]+) \|$",
        DOCS,
        re.MULTILINE,
    )
    for count, unit, step, step_unit, first, others in rows:
        age = (1 if count == "a" else int(count)) * units[unit]
        between = int(step or 1) * units[step_unit]
        yield age, between, {"first": ordinals[first], "others": ordinals[others]}


def test_the_trades_are_as_dense_as_the_documentation_says(year: Told) -> None:
    table = list(ages())
    assert [age for age, _, _ in table] == [4 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY, MAX_DAYS * DAY]
    times: dict[str, list[int]] = defaultdict(list)
    for timestamp, trade in year.trades:
        times[trade.pair].append(timestamp)
    assert set(times) == {f"{pair.base}/{pair.quote}" for pair in VENUE.pairs}
    for pair, traded in times.items():
        newer = END
        for timestamp in sorted(set(traded), reverse=True):
            _, between, every = next(row for row in table if END - timestamp <= row[0])
            assert newer - timestamp <= between * every["first" if pair == FIRST else "others"], (
                pair,
                timestamp,
            )
            newer = timestamp
        assert END - newer > (MAX_DAYS - 1) * DAY - HOUR


def test_every_interval_has_candles_without_gaps(year: Told) -> None:
    filled = {"1m": 4 * HOUR, "5m": DAY, "15m": 3 * DAY, "30m": 7 * DAY, "1h": 30 * DAY, "4h": 30 * DAY}
    filled |= {"1d": MAX_DAYS * DAY, "1w": MAX_DAYS * DAY}
    assert set(filled) == set(INTERVALS)
    first = {timestamp for timestamp, trade in year.trades if trade.pair == FIRST}
    for name, age in filled.items():
        interval = INTERVALS[name]
        starts = {start_of(timestamp, interval) for timestamp in first}
        expected = range(start_of(END - age, interval) + interval, END, interval)
        assert starts >= set(expected), name


def test_candles_have_bodies_and_wicks(year: Told) -> None:
    days: dict[int, list[int]] = defaultdict(list)
    for timestamp, trade in year.trades:
        if trade.pair == FIRST and timestamp < END - 30 * DAY:
            days[start_of(timestamp, DAY)].append(trade.price)
    assert sum(prices[0] != prices[-1] for prices in days.values()) > len(days) * 0.8
    assert sum(max(prices) > max(prices[0], prices[-1]) for prices in days.values()) > len(days) * 0.3
    changes = [abs(prices[-1] - prices[0]) * 100 // prices[0] for prices in days.values()]
    assert max(changes) < 40


def test_the_bots_go_on_where_the_history_ends() -> None:
    told = history_of(1, bots=True)
    for pair in VENUE.pairs:
        name = f"{pair.base}/{pair.quote}"
        last = [trade.price for _, trade in told.trades if trade.pair == name][-1]
        assert abs(last - reference_price(pair)) <= max(2, reference_price(pair) // 20), name


def test_the_books_stay_deep_and_the_orders_few() -> None:
    told = history_of(1, bots=True)
    for _ in range(250):
        read = told.node.chain.head + 1
        told.market.step()
        told.node.tick()
        told.read(read)
    state = told.machine.state
    for pair in VENUE.pairs:
        prices: dict[bool, set[int]] = {True: set(), False: set()}
        for order in state.orders.values():
            if order.pair.name == f"{pair.base}/{pair.quote}":
                assert order.price is not None
                prices[order.is_buy].add(order.price)
        assert len(prices[True]) > 5 < len(prices[False]), pair.quote
        assert max(prices[True]) < min(prices[False])
    assert len(state.orders) < 2 * 8 * 18 + 12 * 30
    since = [trade for timestamp, trade in told.trades if timestamp > END]
    assert {trade.pair for trade in since} == {f"{pair.base}/{pair.quote}" for pair in VENUE.pairs}


def test_the_bots_prices_stay_near_the_reference() -> None:
    prices = CalmPrices(Random(3))
    for pair in VENUE.pairs:
        reference, seen = reference_price(pair), []
        for _ in range(40_000):
            prices.drift(pair)
            seen.append(prices.ticks(pair))
        assert reference * 0.9 < min(seen) < reference < max(seen) < reference * 1.1
        assert abs(sum(seen) / len(seen) / reference - 1) < 0.02


@pytest.mark.parametrize("days", [0, MAX_DAYS + 1, -1])
def test_a_history_has_a_limit(days: int) -> None:
    with pytest.raises(ValueError, match="1 to 365 days"):
        MarketHistory(DevNode(Chain(sign=False)), VENUE, days=days, end=END)
