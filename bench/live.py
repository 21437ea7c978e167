"""Following live: time from a block's arrival to the commit of its rows and its change set, a transaction a block.

Blocks arrive five times a second, fifteen times as often as on Hive, and the log is merged as `peakedex follow` does it.
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
BLOCKS: Final = 300
EVENTS_A_BLOCK: Final = 100
BLOCK_SECONDS: Final = 0.2


class _Arrivals(LiveArchive):
    """Notes when each block arrives, as a node's would: its header is read, its operations are not decoded."""

    at = 0.0
    waited = 0.0  # for a processor, so far

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        due = time.perf_counter()
        for each in super().blocks(after):
            due += BLOCK_SECONDS
            time.sleep(max(0.0, due - time.perf_counter()))
            self.at, self.waited = time.perf_counter(), _waited()
            yield each


def _waited() -> float:
    """Seconds for which this thread has waited for a processor while others ran (Linux)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


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
        source, taken, alone = _Arrivals(folder, rules.venue_filter), list[float](), list[float]()

        def committed(_: Progress) -> None:
            taken.append(time.perf_counter() - source.at)
            alone.append(taken[-1] - (_waited() - source.waited))

        started = time.process_time()
        with WalCheckpointer(engine, source):
            Follower(rules, projector, source, on_batch=committed).run()
        processor = (time.process_time() - started) / BLOCKS / EVENTS_A_BLOCK
        log_bytes = (folder / "live.db-wal").stat().st_size
        engine.dispose()
    assert len(taken) == BLOCKS
    clock, quiet = (quantiles((1000 * seconds for seconds in each), n=100) for each in (taken, alone))
    print(
        f"live ({name_of_build()}): {BLOCKS} blocks of {EVENTS_A_BLOCK} events into SQLite with the readers' indexes\n"
        f"  arrived to committed: p50 {clock[49]:.0f} ms, p99 {clock[98]:.0f} ms (goal: 50); without waiting for a "
        f"processor that others used: p50 {quiet[49]:.0f} ms, p99 {quiet[98]:.0f} ms\n"
        f"  {processor * 1e6:.0f} µs of processor time an operation; log {log_bytes / 1e6:.0f} MB at the end"
    )


if __name__ == "__main__":
    main()
