"""Candles and 24-hour statistics agree with the trades of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from settlement.store.database import open_writer
from settlement.store.read.audit.journal import read_journal
from settlement.store.read.market.candles import INTERVALS, CandleRow, read_candles, start_of
from settlement.store.read.market.ticker import DayStatsRow, read_day_stats
from settlement.store.read.venue import read_pairs
from tests.system.api.world import World
from tests.system.store.chains import lively, replay
from tests.system.store.journal_model import JournalModel, ModelTrade

DAY = 86_400
LONG_AGO, LATER = 0, 4_000_000_000


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Connection, dict[int, list[ModelTrade]], int]]:
    """A recorded chain, the trades of its journal by pair, and its last block's time."""
    rules, database = replay(lively().write(tmp_path_factory.mktemp("chain")), batch=7)
    state = rules.state
    model = JournalModel(state.venue)
    with database.connect() as connection:
        for block in read_journal(connection):
            model.read(block.lines)
        rows = read_pairs(connection).items()
        trades = {
            number: [each for each in model.trades if each.pair == f"{row.base}/{row.quote}"]
            for number, row in rows
        }
        assert state.header is not None
        yield connection, trades, state.header.timestamp


def naive_start(timestamp: int, name: str) -> int:
    """Weeks begin on Mondays, at midnight UTC like days; the others at full minutes and hours."""
    at = datetime.fromtimestamp(timestamp, UTC)
    if name == "1w":
        return timestamp - at.weekday() * DAY - (at.hour * 60 + at.minute) * 60 - at.second
    return timestamp - timestamp % INTERVALS[name]


def naive_candles(trades: list[ModelTrade], name: str) -> list[CandleRow]:
    found = []
    for start in sorted({naive_start(trade.timestamp, name) for trade in trades}):
        some = [trade for trade in trades if naive_start(trade.timestamp, name) == start]
        prices = [trade.price for trade in some]
        volumes = sum(trade.quantity for trade in some), sum(trade.quote_amount for trade in some)
        found.append(CandleRow(start, prices[0], max(prices), min(prices), prices[-1], *volumes, len(some)))
    return found


@pytest.mark.parametrize("name", INTERVALS)
def test_candles_of_every_interval(
    told: tuple[Connection, dict[int, list[ModelTrade]], int], name: str
) -> None:
    connection, trades, _ = told
    for pair, some in trades.items():
        page = read_candles(connection, pair, INTERVALS[name], LONG_AGO, LATER, 1000)
        assert list(page.rows) == naive_candles(some, name)
        assert page.next_key is None
    assert sum(map(len, trades.values())) > 100


@pytest.mark.parametrize("name", ["1m", "5m", "30m"])
def test_pages_of_candles_have_no_gaps_or_overlaps(
    told: tuple[Connection, dict[int, list[ModelTrade]], int], name: str
) -> None:
    connection, trades, _ = told
    for pair, some in trades.items():
        found: list[CandleRow] = []
        before: int | None = LATER
        while before is not None:
            page = read_candles(connection, pair, INTERVALS[name], LONG_AGO, before, 2)
            assert len(page.rows) <= 2
            found[:0], before = page.rows, page.next_key
        assert found == naive_candles(some, name)


def test_a_span_of_candles_is_those_that_start_in_it(
    told: tuple[Connection, dict[int, list[ModelTrade]], int],
) -> None:
    connection, trades, _ = told
    pair, some = max(trades.items(), key=lambda item: len(item[1]))
    every = naive_candles(some, "5m")
    assert len(every) >= 2
    for since in (every[0].start, every[0].start + 1, every[1].start):
        for before in (every[-1].start, every[-1].start + 1):
            page = read_candles(connection, pair, 300, since, before, 1000)
            assert list(page.rows) == [row for row in every if since <= row.start < before]


def test_starts_of_intervals() -> None:
    for timestamp in (0, 1_700_000_000, 1_790_000_000, 1_790_000_000 + 6 * DAY + 12_345):
        for name, interval in INTERVALS.items():
            assert start_of(timestamp, interval) == naive_start(timestamp, name), name


def test_day_statistics(told: tuple[Connection, dict[int, list[ModelTrade]], int]) -> None:
    """Of the 1,440 whole minutes up to the one of the last block."""
    connection, trades, last = told
    moments = (last, last + 3_600, last + DAY - 600, last + DAY - 60, last + DAY, last + 2 * DAY)
    seen = set()
    for moment in moments:
        since = moment - moment % 60 + 60 - DAY
        days = read_day_stats(connection, moment)
        for pair, some in trades.items():
            before = [trade for trade in some if trade.timestamp < since]
            within = [trade for trade in some if trade.timestamp >= since]
            prices = [trade.price for trade in within]
            assert days[pair] == DayStatsRow(
                before[-1].price if before else None,
                prices[0] if prices else None,
                max(prices, default=None),
                min(prices, default=None),
                sum(trade.quantity for trade in within),
                sum(trade.quote_amount for trade in within),
                len(within),
            )
            seen.add((bool(before), bool(within)))
    assert seen >= {(False, True), (True, True), (True, False)}


def test_candles_of_trades_far_apart(tmp_path: Path) -> None:
    """Hours and days of their own, each written in a batch of its own; volumes beyond 64 bits."""
    world = World(tmp_path)
    most = "90000000000"
    world.apply(world.deposit("alice", "PEK", most), world.deposit("bob", "HBD", most))
    trades = []
    for n, seconds in enumerate((3, 3, 59, 61, 3_599, 3_601, 86_399, 7 * DAY, 3), start=1):
        # What bob bought he sells back, so that the same units come round again and again.
        sides = ("alice", "bob") if n % 2 else ("bob", "alice")
        world.apply(
            world.order(sides[0], "sell", "80000000000", "1", quote="HBD"),
            world.order(sides[1], "buy", "80000000000", "1", quote="HBD"),
            seconds=seconds,
        )
        trades.append(world.time)
    connection = open_writer(world.url).connect()
    told = [ModelTrade(n, time, "PEK/HBD", 0, 0, 0) for n, time in enumerate(trades)]
    for name, interval in INTERVALS.items():
        rows = read_candles(connection, 3, interval, LONG_AGO, LATER, 1000).rows
        assert [(row.start, row.trades) for row in rows] == [
            (row.start, row.trades) for row in naive_candles(told, name)
        ]
        units = 80_000_000_000 * 10**8
        assert sum(row.base_volume for row in rows) == units * sum(row.trades for row in rows)
    assert max(row.base_volume for row in rows) > 2**63
    connection.close()
    world.close()
