"""Change sets: what a live block changed, in units; kept for the newest thousand blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from settlement.core.events import HIVE, HIVE_ENGINE, Movement
from settlement.store import schema
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.stream import CHANGE_SETS, AccountChanges, ChangeSet, PairChanges, read_change_sets
from tests.system.api.world import World

PEK_HIVE = 1
UNIT = 10**8


class Watched(World):
    """A world whose last change set can be read."""

    def changes(self) -> ChangeSet:
        with self.engine.connect() as connection:
            _, text = next(iter(read_change_sets(connection, 0)))
        return ChangeSet.read(text)

    def of_pair(self) -> PairChanges:
        found = self.changes().of_pair(PEK_HIVE)
        assert found is not None
        return found

    def of(self, account: str) -> AccountChanges:
        found = self.changes().of_account(account)
        assert found is not None
        return found

    def count(self) -> int:
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(schema.change_sets)) or 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    world = Watched(tmp_path)
    world.apply(
        world.deposit("alice", "PEK", "1000"),
        world.deposit("bob", "SWAP.HIVE", "1000"),
    )
    yield world
    world.close()


def test_levels_trades_and_candles(world: Watched) -> None:
    world.apply(world.order("alice", "sell", "10", "2"), world.order("alice", "sell", "5", "3"))
    assert world.of_pair() == PairChanges(
        bids=[],
        asks=[LevelRow(2_000_000, 10 * UNIT, 1), LevelRow(3_000_000, 5 * UNIT, 1)],
        trades=[],
        candles={},
    )
    world.apply(world.order("bob", "buy", "4", "2"), world.order("bob", "buy", "6", "2.5"))
    pair = world.of_pair()
    assert (pair.bids, pair.asks) == ([], [LevelRow(2_000_000, 0, 0)])
    assert [(trade.n, trade.price, trade.quantity, trade.taker_is_buy) for trade in pair.trades] == [
        (1, 2_000_000, 4 * UNIT, True),
        (2, 2_000_000, 6 * UNIT, True),
    ]
    assert set(pair.candles) == {60, 300, 900, 1800, 3600, 14_400, 86_400, 604_800}
    for interval, candle in pair.candles.items():
        assert candle.start <= world.time < candle.start + interval
        assert (candle.open, candle.close, candle.trades) == (2_000_000, 2_000_000, 2)
        assert candle.base_volume == 10 * UNIT


def test_candles_go_on_over_blocks(world: Watched) -> None:
    world.apply(world.order("alice", "sell", "10", "2"), world.order("alice", "sell", "10", "3"))
    world.apply(world.order("bob", "buy", "10", "2"))
    world.apply(world.order("bob", "buy", "10", "3"), seconds=61)
    candles = world.of_pair().candles
    assert (candles[60].open, candles[60].trades) == (3_000_000, 1)
    week = candles[604_800]
    assert (week.open, week.high, week.low, week.close) == (2_000_000, 3_000_000, 2_000_000, 3_000_000)
    assert (week.base_volume, week.quote_volume, week.trades) == (20 * UNIT, 50 * UNIT, 2)


def test_a_level_that_is_as_before_is_left_out(world: Watched) -> None:
    order = world.order("alice", "sell", "10", "2")
    world.apply(order, world.action("alice", "cancel", id=order.id))
    assert world.changes().of_pair(PEK_HIVE) is None
    assert world.of("alice").orders[0].status == schema.CANCELLED


def test_orders_show_what_was_before_the_block(world: Watched) -> None:
    sell = world.action("alice", "sell", symbol="PEK", quantity="10", price="2", ref="mine")
    world.apply(sell)
    placed_at = (world.block, world.time)
    world.apply(world.order("bob", "buy", "4", "2"))
    (order,) = world.of("alice").orders
    assert (order.id, order.action, order.ref) == (sell.id, "sell", "mine")
    assert (order.block, order.timestamp) == placed_at
    assert (order.status, order.remaining, order.locked) == (schema.OPEN, 6 * UNIT, 6 * UNIT)


def test_balances_of_both_sides_and_of_the_fee_account(world: Watched) -> None:
    world.apply(world.order("alice", "sell", "10", "2"))
    world.apply(world.order("bob", "buy", "10", "2"))
    balances = {
        name: {row.symbol: (row.available, row.locked) for row in world.of(name).balances}
        for name in ("alice", "bob", "peakecoin.fees")
    }
    # The maker pays 10 and the taker 20 basis points of what they receive.
    assert balances == {
        "alice": {"PEK": (990 * UNIT, 0), "SWAP.HIVE": (1_998_000_000, 0)},
        "bob": {"PEK": (998_000_000, 0), "SWAP.HIVE": (980 * UNIT, 0)},
        "peakecoin.fees": {"PEK": (2_000_000, 0), "SWAP.HIVE": (2_000_000, 0)},
    }


def test_a_stop_waits_fires_and_its_order_has_the_same_id(world: Watched) -> None:
    stop = world.action(
        "alice", "sell", symbol="PEK", quantity="5", price="1", triggerPrice="1.5", triggerWhen="below"
    )
    world.apply(stop)
    (waiting,) = world.of("alice").orders
    assert (waiting.status, waiting.trigger_price) == (schema.WAITING, 1_500_000)
    assert world.changes().of_pair(PEK_HIVE) is None  # it is in no book
    world.apply(world.order("bob", "buy", "20", "1.5"))
    world.apply(world.order("alice", "sell", "1", "1.5"))
    by_seq = {row.seq: row for row in world.of("alice").orders if row.id == stop.id}
    fired = by_seq.pop(waiting.seq)
    (order,) = by_seq.values()
    assert (fired.status, fired.fired_seq) == (schema.TRIGGERED, order.seq)
    assert (order.status, order.trigger_price) == (schema.FILLED, None)


def test_arrivals_are_credited_refunded_or_ignored(world: Watched) -> None:
    world.apply(
        world.deposit("carl", "PEK", "1"),
        Movement(world.id(), HIVE_ENGINE, "carl", "peakedex.hive", "PEK", "2", None),
        Movement(world.id(), HIVE, "carl", "peakedex.pek", "HIVE", "3.000", None),
    )
    rows = {(row.symbol, row.quantity): row for row in world.of("carl").deposits}
    assert rows["PEK", None].amount == UNIT
    assert rows["PEK", "2"].status == schema.PENDING
    ignored = rows["HIVE", "3.000"]
    assert (ignored.status, ignored.amount, ignored.chain) == (None, None, HIVE)


def test_withdrawals_are_pending_returning_and_returned(world: Watched) -> None:
    withdrawal = world.action("alice", "withdraw", symbol="PEK", quantity="7")
    world.apply(withdrawal)
    (row,) = world.of("alice").withdrawals
    assert (row.id, row.amount, row.status, row.return_due) == (withdrawal.id, 7 * UNIT, schema.PENDING, None)
    world.apply(world.action("alice", "cancelWithdrawal", id=withdrawal.id))
    (row,) = world.of("alice").withdrawals
    due = world.time + 3600
    assert (row.status, row.return_due) == (schema.PENDING, due)
    world.apply(seconds=3600)
    (row,) = world.of("alice").withdrawals
    assert (row.status, row.closed_timestamp) == (schema.RETURNED, due)


def grant(world: World, to: str, seconds: int = 100_000) -> Any:
    return world.action(
        "alice",
        "grant",
        to=to,
        pairs=["PEK/SWAP.HIVE"],
        perDay={"PEK": "100"},
        bandBps=10_000,
        until=world.time + seconds,
    )


def test_grants_and_timers_are_sent_whole(world: Watched) -> None:
    world.apply(world.order("alice", "sell", "1", "2"), world.order("bob", "buy", "1", "2"))
    world.apply(grant(world, "posting"), grant(world, "carl"))
    alice = world.of("alice")
    assert alice.grants is not None
    assert [each.to for each in alice.grants] == ["carl", "posting"]
    assert alice.timers is None
    world.apply(
        world.action("alice", "sell", active=False, symbol="PEK", quantity="3", price="2"),
        world.action("alice", "cancelAllAfter", active=False, seconds=60),
    )
    alice = world.of("alice")
    assert alice.grants is not None
    assert {each.to: each.used for each in alice.grants} == {"posting": {"PEK": 3 * UNIT}, "carl": {}}
    assert alice.timers is not None
    assert [(each.by, each.due) for each in alice.timers] == [("posting", world.time + 60)]
    world.apply(world.action("alice", "revoke", to="posting"))
    alice = world.of("alice")
    assert alice.grants is not None
    assert [each.to for each in alice.grants] == ["carl"]
    assert alice.timers == []


def test_a_grant_that_ended_is_gone_in_the_next_block_of_ours(world: Watched) -> None:
    world.apply(grant(world, "posting", seconds=9))
    world.apply(seconds=30)
    world.apply(world.deposit("bob", "PEK", "1"))
    assert world.of("alice").grants == []


def test_rules_that_changed_are_marked(world: Watched) -> None:
    assert not world.changes().rules
    world.apply(world.action("peakecoin", "updatePair", symbol="PEK", quote="SWAP.HIVE", status="paused"))
    assert world.changes().rules


def test_each_change_set_names_the_journal_hash_before_it(world: Watched) -> None:
    for _ in range(3):
        world.apply(world.deposit("bob", "PEK", "1"))
        world.apply()
    with world.engine.connect() as connection:
        newest_first = list(read_change_sets(connection, 0))
    assert [block.n for block, _ in newest_first] == [4, 3, 2, 1]
    for (_, text), (before, _) in pairwise(newest_first):
        assert ChangeSet.read(text).previous == before.journal_hash
    assert ChangeSet.read(newest_first[-1][1]).previous == world.rules.state.venue.hash


def test_blocks_without_lines_and_those_of_catching_up_have_none(world: Watched) -> None:
    assert world.count() == 1
    world.apply()
    world.apply_all([[world.deposit("bob", "PEK", "1")] for _ in range(5)])
    assert world.count() == 1
    world.apply(world.deposit("bob", "PEK", "1"))
    assert world.count() == 2
    with world.engine.connect() as connection:
        assert [block.n for block, _ in read_change_sets(connection, 0)] == [7, 1]


def test_the_newest_thousand_are_kept(world: Watched) -> None:
    world.apply_all([[world.deposit("bob", "PEK", "1")] for _ in range(CHANGE_SETS - 2)])
    world.apply(world.deposit("bob", "PEK", "1"))
    assert world.count() == 2  # of the blocks 1 and 1000
    world.apply(world.deposit("bob", "PEK", "1"))
    with world.engine.connect() as connection:
        assert [block.n for block, _ in read_change_sets(connection, 0)] == [1001, 1000]


def test_a_block_with_thousands_of_changes(world: Watched) -> None:
    """More orders close than one statement can name."""
    world.apply(world.deposit("alice", "PEK", "100000"), *_settings(world, orders=5_000))
    orders = [world.order("alice", "sell", "1", "2") for _ in range(1_500)]
    world.apply(*orders)
    world.apply(world.action("alice", "cancelAll"))
    rows = world.of("alice").orders
    assert [row.seq for row in rows] == list(range(1_500, 0, -1))
    assert {row.status for row in rows} == {schema.CANCELLED}
    assert world.of_pair().asks == [LevelRow(2_000_000, 0, 0)]


def _settings(world: World, orders: int) -> list[Any]:
    return [world.action("peakecoin", "updateVenue", maxOpenOrders=orders)]
