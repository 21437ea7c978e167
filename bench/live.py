"""Following live: time from a block's arrival to the commit of its rows and its change set, a transaction a block."""

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


class _Arrivals(LiveArchive):
    """Notes when each block arrives, as a node's would: its header is read, its operations are not decoded."""

    at = 0.0

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        for each in super().blocks(after):
            self.at = time.perf_counter()
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
        source, taken = _Arrivals(folder, rules.venue_filter), list[float]()

        def committed(_: Progress) -> None:
            taken.append(time.perf_counter() - source.at)

        started = time.process_time()
        Follower(rules, projector, source, on_batch=committed).run()
        processor = (time.process_time() - started) / BLOCKS / EVENTS_A_BLOCK
        engine.dispose()
    assert len(taken) == BLOCKS
    cuts = quantiles((1000 * seconds for seconds in taken), n=100)
    print(
        f"live ({name_of_build()}): {BLOCKS} blocks of {EVENTS_A_BLOCK} events into SQLite with the readers' indexes\n"
        f"  arrived to committed: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms (goal: 50); "
        f"{processor * 1e6:.0f} µs of processor time an operation"
    )


if __name__ == "__main__":
    main()
