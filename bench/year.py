"""A scaled year: a long generated chain through the whole indexer, with time, memory, size and hashes.

A real year has 10.5 million blocks, most of them without operations of the exchange; this one has 300,000, all with operations.
Each step runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec
import zstandard

from bench.alone import alone, database_bytes, peak_mb
from indexer.devnet.generator.generate import Generator
from indexer.follow.loop import Follower, Progress
from indexer.follow.memory import tune_gc
from indexer.rules_build import name_of_build
from indexer.sources.archive import ArchiveSource
from settlement.core.journal.state_text import state_hash
from settlement.store.database import open_writer
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.system.store.chains import demo

SEED = 365
BLOCKS = 300_000
OPS_PER_BLOCK = 6
TRADERS = 2_000
FEWEST_INTENTS = 1_000_000
DATABASE = "year.db"


@dataclass
class Replayed:
    """Figures of the replay; `rates` are intents a second of processor time, tenth by tenth."""

    intents: int
    rejected: int
    trades: int
    seconds: float
    cpu_seconds: float
    index_seconds: float
    bytes_before_indexes: int
    bytes_after: int
    peak_mb: float
    open_orders: int
    accounts: int
    journal_hash: str
    state_hash: str
    rates: list[float] = field(default_factory=list)


def main() -> None:
    """Generate, replay and load the year, and print what each took."""
    print(f"a year, scaled: {BLOCKS:,} blocks out of seed {SEED}, {name_of_build()}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        seconds, plain, packed = alone(generate, folder)
        print(
            f"  generated in {seconds:,.0f} s: {plain / 1e6:,.0f} MB of blocks and receipts, {packed / 1e6:,.0f} MB "
            "in zstd",
            flush=True,
        )
        done = alone(replay, folder)
        print(
            f"  replayed in {done.seconds:,.0f} s ({done.cpu_seconds:,.0f} s of processor time): "
            f"{BLOCKS / done.seconds:,.0f} blocks/s, {done.intents / done.seconds:,.0f} intents/s; "
            f"{done.intents:,} intents ({done.rejected:,} rejected), {done.trades:,} trades; "
            f"peak memory {done.peak_mb:,.0f} MB\n"
            f"  intents a second of processor time, tenth by tenth: "
            f"{', '.join(f'{rate:,.0f}' for rate in done.rates)} (goal: the last >= 0.7 of the first)\n"
            f"  database {done.bytes_before_indexes / 1e6:,.0f} MB, {done.bytes_after / 1e6:,.0f} MB with the indexes of "
            f"readers (made in {done.index_seconds:,.0f} s): {done.bytes_after / done.intents:,.0f} bytes an intent "
            f"(goal: <= 1,200)\n"
            f"  left: {done.open_orders:,} open orders, {done.accounts:,} accounts\n"
            f"  journal_hash {done.journal_hash}\n  state_hash   {done.state_hash}",
            flush=True,
        )
        assert done.intents >= FEWEST_INTENTS, f"{done.intents} intents are too few for a year"
        seconds, loaded_hash, peak_mb = alone(start_up, folder)
        assert loaded_hash == done.state_hash, "the state that was loaded is another"
        print(f"  started again in {seconds:.2f} s, the same state hash; peak memory {peak_mb:,.0f} MB")


def generate(folder: Path) -> tuple[float, int, int]:
    """Write the archive in zstd; returns seconds, and bytes before and after compression."""
    started = time.perf_counter()
    generator = Generator(SEED, ops_per_block=OPS_PER_BLOCK, accounts=TRADERS, halt_every=0)
    encode, plain = msgspec.json.encode, 0
    with (
        zstandard.open(folder / "blocks.jsonl.zst", "wb") as blocks,
        zstandard.open(folder / "receipts.jsonl.zst", "wb") as receipts,
    ):
        for block, received in generator.stream(BLOCKS):
            plain += blocks.write(encode(block) + b"\n")
            if received is not None:
                plain += receipts.write(encode(received) + b"\n")
    packed = sum(path.stat().st_size for path in folder.iterdir())
    return time.perf_counter() - started, plain, packed


def replay(folder: Path) -> Replayed:
    """Replay the archive into SQLite as `peakedex replay` does."""
    path = folder / DATABASE
    engine = open_writer(f"sqlite:///{path}")
    rules, projector = load_or_initialise(engine, demo())
    tune_gc()
    marks = [(0, time.process_time())]

    def committed(progress: Progress) -> None:
        if progress.blocks >= BLOCKS * len(marks) // 10:
            marks.append((progress.intents, time.process_time()))

    started, cpu_started = time.perf_counter(), time.process_time()
    source = ArchiveSource(folder, rules.venue_filter)
    progress = Follower(rules, projector, source, on_batch=committed).run()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    assert progress.blocks == BLOCKS, progress
    before = database_bytes(path)
    started = time.perf_counter()
    make_read_indexes(engine)
    index_seconds = time.perf_counter() - started
    engine.dispose()
    state = rules.state
    return Replayed(
        progress.intents,
        progress.rejected,
        progress.trades,
        seconds,
        cpu_seconds,
        index_seconds,
        before,
        database_bytes(path),
        peak_mb(),
        len(state.orders),
        len(state.accounts),
        state.journal_hash,
        state_hash(state),
        [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(marks)],
    )


def start_up(folder: Path) -> tuple[float, str, float]:
    """Load the state as a start does; returns seconds, its hash and peak memory in MB."""
    engine = open_writer(f"sqlite:///{folder / DATABASE}")
    started = time.perf_counter()
    rules = load(engine)
    return time.perf_counter() - started, state_hash(rules.state), peak_mb()


if __name__ == "__main__":
    main()
