"""Following live: time from a block's arrival to the commit of its rows and its change set, a transaction a block.

Blocks arrive ten times a second, thirty times as often as on Hive, and the log is merged as `peakedex follow` does it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final

from bench.api import LiveArchive
from bench.chain import VENUE, write_archive
from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts
from indexer.follow.loop import Follower, Progress
from indexer.follow.memory import tune_gc
from indexer.follow.wal_checkpointer import WalCheckpointer
from indexer.rules_build import name_of_build
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

OPEN_ORDERS: Final = 10_000
BLOCKS: Final = 500
EVENTS_A_BLOCK: Final = 100
BLOCK_SECONDS: Final = 0.1


class _Arrivals(LiveArchive):
    """Notes when each block arrives, as a node's would: its header is read, its operations are not decoded."""

    at = 0.0
    used = 0.0  # processor time of the thread

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        due = time.perf_counter()
        for each in super().blocks(after):
            due += BLOCK_SECONDS
            time.sleep(max(0.0, due - time.perf_counter()))
            self.at, self.used = time.perf_counter(), time.thread_time()
            yield each


def main() -> None:
    """Print the percentiles, and the processor time an operation."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        opened = write_archive(folder, OPEN_ORDERS, BLOCKS * EVENTS_A_BLOCK, EVENTS_A_BLOCK)
        engine = open_writer(f"sqlite:///{folder / 'live.db'}")
        rules, projector = load_or_initialise(engine, parse_venue(VENUE))
        Follower(rules, projector, ArchiveSource(folder, rules.venue_filter)).run(opened)
        make_read_indexes(engine)
        tune_gc()
        source, taken, used = _Arrivals(folder, rules.venue_filter), list[float](), list[float]()

        def committed(_: Progress) -> None:
            taken.append(time.perf_counter() - source.at)
            used.append(time.thread_time() - source.used)

        started = time.process_time()
        with WalCheckpointer(engine, source):
            Follower(rules, projector, source, on_batch=committed).run()
        processor = (time.process_time() - started) / BLOCKS / EVENTS_A_BLOCK
        log_bytes = (folder / "live.db-wal").stat().st_size
        engine.dispose()
    assert len(taken) == BLOCKS
    clock, thread = (quantiles((1000 * seconds for seconds in each), n=100) for each in (taken, used))
    print(
        f"live ({name_of_build()}): {BLOCKS} blocks of {EVENTS_A_BLOCK} events into SQLite with the readers' indexes\n"
        f"  arrived to committed: p50 {clock[49]:.0f} ms, p99 {clock[98]:.0f} ms (goal: 50), of which its thread computed "
        f"{thread[49]:.0f} and {thread[98]:.0f} ms\n"
        f"  {processor * 1e6:.0f} µs of processor time an operation; log {log_bytes / 1e6:.0f} MB at the end"
    )


if __name__ == "__main__":
    main()
