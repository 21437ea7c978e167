"""Scanning blocks without operations of the exchange, as a ratio to a bare search of their bytes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import zstandard

from bench.chain import VENUE, foreign_blocks
from indexer.chain.prefilter import Prefilter, read_block
from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise

BLOCKS = 3_000
NEEDLES = (b"peakedex", b"bench.", b"\\u")


def main() -> None:
    """Print blocks a second of a byte search, of reading blocks, and of a whole archive through the loop."""
    venue = parse_venue(VENUE)
    blocks = list(foreign_blocks(BLOCKS))
    size = sum(map(len, blocks)) / BLOCKS / 1000
    print(f"scan of {BLOCKS} irrelevant blocks of {size:.0f} KB (goal: ratio >= 0.5)")
    searched = min(_timed(lambda: [any(n in b for n in NEEDLES) for b in blocks]) for _ in range(3))
    rules, _ = load_or_initialise(open_writer("sqlite://"), venue)
    interest = Prefilter(rules.venue_filter)
    read = min(_timed(lambda: [read_block(b, interest) for b in blocks]) for _ in range(3))
    print(f"  bytes searched {BLOCKS / searched:>9,.0f} blocks/s")
    print(f"  read_block     {BLOCKS / read:>9,.0f} blocks/s, ratio {searched / read:.2f}")
    with tempfile.TemporaryDirectory() as home:
        text = b"".join(b + b"\n" for b in blocks)
        (Path(home) / "blocks.jsonl.zst").write_bytes(zstandard.ZstdCompressor(3).compress(text))
        rules, projector = load_or_initialise(open_writer(f"sqlite:///{home}/scan.db"), venue)
        source = ArchiveSource(Path(home), rules.venue_filter)
        whole = _timed(lambda: Follower(rules, projector, source).run())
    print(f"  zstd archive → rules → SQLite {BLOCKS / whole:>9,.0f} blocks/s (goal: >= 12,000)")


def _timed(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
