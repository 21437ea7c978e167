"""Growth of time and memory with open orders, accounts and history, and the time of a start.

Times are of the processor, because other work on the machine disturbs those least; each is given with its ratio to that
of the smallest size in the same run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bench.alone import alone, database_bytes, resident_bytes
from bench.api import LiveArchive
from bench.bare import ACCOUNTS, MID, flow, wall
from bench.chain import VENUE, Flow, write_archive
from bench.rules import START, apply_all, blocks_of, empty_block, funded_machine, timed
from indexer.follow.loop import Follower, Progress
from indexer.follow.memory import tune_gc
from indexer.rules_build import name_of_build
from indexer.sources.archive import ArchiveSource
from settlement.core.events import Action, BlockHeader, JsonNumber
from settlement.core.state_machine import StateMachine
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
FEWER_SIZES = SIZES[:-1]
OPERATIONS = 20_000
FEW_ORDERS = 1_000
TRADES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
HISTORY_OPERATIONS = 1_760_000
"""Operations that make a little more than a million trades."""
STATES = (1_000, 10_000, 100_000, 1_000_000)

FOLLOWED = 5_000
"""Operations followed live, in blocks of `FOLLOWED_A_BLOCK`."""
FOLLOWED_A_BLOCK = 20
KINDS = {"open orders": Flow.resting, "waiting stops": Flow.waiting, "grants": Flow.granting}


class Grown(NamedTuple):
    """Cost beside so many open orders, stops, accounts or grants."""

    seconds: float  # of processor time an operation
    memory: float  # bytes each
    empty_block: float  # seconds


class Recorded(NamedTuple):
    """Cost of recording beside so many open orders, stops or grants, in seconds of processor time."""

    following: float  # an operation, a transaction a block, rules included
    start: float  # loading the state and the projector
    memory: float  # bytes each, of both


def main() -> None:
    """Print all curves."""
    print(f"growth ({name_of_build()}), processor time; goal: within 1.5 times from end to end", flush=True)
    _print_curve("open orders", {size: alone(with_open_orders, size) for size in SIZES}, 1_500)
    _print_curve("accounts", {size: alone(with_accounts, size) for size in SIZES}, 1_000)
    _print_curve("waiting stops", {size: alone(with_stops, size) for size in FEWER_SIZES}, 1_500)
    _print_curve("grants", {size: alone(with_grants, size) for size in FEWER_SIZES}, 3_000)
    for kind in KINDS:
        _print_recorded(kind, {size: alone(recorded, kind, size) for size in FEWER_SIZES[1:]})
    with tempfile.TemporaryDirectory() as home:
        _print_history(alone(with_history, Path(home)))
    for size in STATES:
        with tempfile.TemporaryDirectory() as home:
            alone(open_orders, Path(home), size)
            seconds, memory = alone(start_up, Path(home))
        goal = 2 + size / 100_000
        print(
            f"  start with {size:>9,} open orders: {seconds:>6.2f} s (goal: <= {goal:.1f}), "
            f"{memory / size:>6,.0f} bytes of memory an open order",
            flush=True,
        )


def _print_curve(name: str, curve: dict[int, Grown], most_bytes: int) -> None:
    first = next(iter(curve.values())).seconds
    for size, (seconds, memory, empty) in curve.items():
        print(
            f"  {size:>9,} {name}: {seconds * 1e6:>6.1f} µs an operation, {seconds / first:>4.2f} of the first, "
            f"{memory:>7,.0f} bytes each (goal: <= {most_bytes:,}), empty block {empty * 1e6:.2f} µs",
            flush=True,
        )


def _print_recorded(kind: str, curve: dict[int, Recorded]) -> None:
    first = next(iter(curve.values())).following
    for size, (following, start, memory) in curve.items():
        print(
            f"  {size:>9,} {kind}: following {following * 1e6:>6.1f} µs an operation, {following / first:>4.2f} of the "
            f"first; start {start:>5.2f} s, {memory:>7,.0f} bytes each",
            flush=True,
        )


def with_open_orders(count: int) -> Grown:
    """Measure the flow with `count` resting orders."""
    machine = funded_machine(())
    before = resident_bytes()
    for header, events in blocks_of(machine, wall(count, OPERATIONS + 1)):
        machine.apply(header, events)
    memory = (resident_bytes() - before) / count
    assert len(machine.state.orders) == count
    return Grown(_flow_seconds(machine, ACCOUNTS), memory, empty_block(machine))


def with_accounts(count: int) -> Grown:
    """Measure the flow among `count` accounts, each with a balance of both tokens."""
    before = resident_bytes()
    machine = funded_machine((), count)
    memory = (resident_bytes() - before) / count
    assert len(machine.state.accounts) > count
    return Grown(_flow_seconds(machine, count), memory, empty_block(machine))


def with_stops(count: int) -> Grown:
    """Measure the flow with `count` stops that wait, none of which fires."""
    machine = funded_machine(())
    before = resident_bytes()
    _apply_in_blocks(machine, (_stop(i) for i in range(count)))
    memory = (resident_bytes() - before) / count
    seconds = _flow_seconds(machine, ACCOUNTS)
    assert len(machine.state.stops) == count
    return Grown(seconds, memory, empty_block(machine))


def _stop(i: int) -> Action:
    """A sell that waits until the mark is far above the flow's prices."""
    payload = {
        "symbol": "PEK",
        "quote": "SWAP.HIVE",
        "quantity": "0.01",
        "price": "1",
        "triggerPrice": f"0.{MID + 20_000 + i % 100_000:06d}",
        "triggerWhen": "above",
    }
    return Action(f"s{i}", f"trader{i % ACCOUNTS}", True, "sell", payload)


def with_grants(count: int) -> Grown:
    """Measure the flow while `count` accounts have a grant in force."""
    machine = funded_machine(())
    before = resident_bytes()
    terms = {
        "to": "posting",
        "pairs": ["PEK/SWAP.HIVE"],
        "perDay": {"PEK": "1", "SWAP.HIVE": "1"},
        "bandBps": JsonNumber("100"),
        "until": JsonNumber(str(START + 7_776_000)),
    }
    _apply_in_blocks(machine, (Action(f"g{i}", f"holder{i}", True, "grant", terms) for i in range(count)))
    memory = (resident_bytes() - before) / count
    assert len(machine.state.grants) == count
    return Grown(_flow_seconds(machine, ACCOUNTS), memory, empty_block(machine))


def _apply_in_blocks(machine: StateMachine, actions: Iterable[Action]) -> None:
    left = iter(actions)
    while block := list(islice(left, 1_000)):
        number = machine.next_block()
        machine.apply(BlockHeader(number, f"{number:040x}", START + 3 * number), block)


def _flow_seconds(machine: StateMachine, accounts: int) -> float:
    blocks = list(blocks_of(machine, flow(OPERATIONS, accounts=accounts)))
    return timed(lambda: apply_all(machine, blocks, [0])) / OPERATIONS


def recorded(kind: str, count: int) -> Recorded:
    """Follow the flow beside `count` open orders, stops or grants in SQLite with the readers' indexes."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        opened = write_archive(folder, count, FOLLOWED, FOLLOWED_A_BLOCK, KINDS[kind])
        alone(_open, folder, opened)
        engine = open_writer(f"sqlite:///{folder / 'growth.db'}")
        before, started = resident_bytes(), time.process_time()
        rules, projector = load_or_initialise(engine)
        start = time.process_time() - started
        memory = (resident_bytes() - before) / count
        state = rules.state
        assert count in (len(state.orders), len(state.stops), len(state.grants)), "all were accepted"
        tune_gc()
        started = time.process_time()
        progress = Follower(rules, projector, LiveArchive(folder, rules.venue_filter)).run()
        seconds = time.process_time() - started
        engine.dispose()
    assert progress.intents == FOLLOWED, progress
    return Recorded(seconds / FOLLOWED, start, memory)


@dataclass
class Mark:
    """Progress of a long replay after one of its transactions."""

    intents: int
    trades: int
    seconds: float


@dataclass
class History:
    """A long replay: a mark after each transaction, and the cost of the read indexes."""

    marks: list[Mark]
    bytes: int
    indexed_bytes: int
    index_seconds: float


def with_history(home: Path) -> History:
    """Run one long replay into SQLite."""
    write_archive(home, FEW_ORDERS, HISTORY_OPERATIONS)
    path = home / "growth.db"
    engine = open_writer(f"sqlite:///{path}")
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    tune_gc()
    marks = [Mark(0, 0, time.process_time())]

    def committed(progress: Progress) -> None:
        marks.append(Mark(progress.intents, progress.trades, time.process_time()))

    Follower(rules, projector, ArchiveSource(home, rules.venue_filter), on_batch=committed).run()
    size, started = database_bytes(path), time.process_time()
    make_read_indexes(engine)
    index_seconds = time.process_time() - started
    engine.dispose()
    return History(marks, size, database_bytes(path), index_seconds)


def _print_history(history: History) -> None:
    """Print the rate over at least 8,000 trades before each size."""
    steps = history.marks
    first = None
    for trades in TRADES:
        at = next((mark for mark in steps if mark.trades >= trades), steps[-1])
        since = next((mark for mark in reversed(steps) if mark.trades <= at.trades - 8_000), steps[0])
        seconds = (at.seconds - since.seconds) / (at.intents - since.intents)
        first = first or seconds
        print(
            f"  {at.trades:>9,} trades: {1 / seconds:>8,.0f} intents a second of processor time, "
            f"{first / seconds:.2f} of the first (goal: >= 0.7)",
            flush=True,
        )
    intents = steps[-1].intents
    print(
        f"  database: {history.bytes / intents:,.0f} bytes an intent, {history.indexed_bytes / intents:,.0f} with the "
        f"indexes of readers (goal: <= 1,200), made in {history.index_seconds:.1f} s",
        flush=True,
    )


def open_orders(home: Path, count: int) -> None:
    """Make a database with `count` open orders."""
    assert _open(home, write_archive(home, count, 0)) == count


def _open(home: Path, opened: int) -> int:
    """Replay the archive up to a block, with the readers' indexes; returns the number of open orders."""
    engine = open_writer(f"sqlite:///{home / 'growth.db'}")
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    tune_gc()
    Follower(rules, projector, ArchiveSource(home, rules.venue_filter)).run(opened)
    make_read_indexes(engine)
    engine.dispose()
    return len(rules.state.orders)


def start_up(home: Path) -> tuple[float, int]:
    """Processor time in seconds to load and check the state and create the projector, and their memory in bytes."""
    engine = open_writer(f"sqlite:///{home / 'growth.db'}")
    before = resident_bytes()
    started = time.process_time()
    rules, projector = load_or_initialise(engine)
    seconds = time.process_time() - started
    memory = resident_bytes() - before
    assert rules.state.orders
    assert projector
    return seconds, memory


if __name__ == "__main__":
    main()
