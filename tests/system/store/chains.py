"""Generated chains for these tests, and two ways to compare the results.

`lively` is a short generated chain with every kind of event; rare ones are made frequent. `picture` is the complete
state of a state machine as plain values, `dump` the complete content of a database.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard
from sqlalchemy import Engine as Database
from sqlalchemy import select

from indexer.devnet.generator.generate import generate
from indexer.devnet.venue import EXAMPLE, demo_venue
from indexer.follow.loop import BATCH_BLOCKS, Follower, Progress
from indexer.sources.archive import ArchiveSource
from settlement.core.journal.lines import KINDS
from settlement.core.journal.state_text import state_text
from settlement.core.state import State
from settlement.core.state_machine import StateMachine
from settlement.core.trading.order_book import BookSide, PriceLevel
from settlement.core.venue import Venue, parse_venue
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from tests.support import databases

JOURNAL_KINDS: Final = ("block", *KINDS)
OFTEN: Final = {"flow": 300, "operator": 60, "outflow": 10, "internal": 10, "refund": 20, "pay": 80}
NOT_STATE: Final = ("indexer_status", "lease", "payout_", "change_sets", "state_check", "escrow_balances")
"""Beginnings of the names of tables that depend on when blocks were read, or on this machine."""
VENUE_TEXT: Final = demo_venue(EXAMPLE.read_text("utf-8"))
PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".jsonl": bytes,
    ".jsonl.gz": gzip.compress,
    ".jsonl.zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@cache
def demo() -> Venue:
    """The venue of the generated chains."""
    return parse_venue(VENUE_TEXT)


@dataclass(frozen=True)
class Chain:
    """Blocks and receipts as in an archive: one JSON text each."""

    blocks: tuple[bytes, ...]
    receipts: tuple[bytes, ...]

    def write(self, folder: Path, packing: str = ".jsonl") -> Path:
        """Write the archive into a new folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in (("blocks", self.blocks), ("receipts", self.receipts)):
            text = b"".join(line + b"\n" for line in lines)
            (folder / f"{name}{packing}").write_bytes(PACKERS[packing](text))
        return folder


@cache
def lively(seed: int = 1, blocks: int = 120, ops: int = 20, shape: str = "block_api") -> Chain:
    """A chain that touches every kind of event (`test_chains.py` counts them)."""
    made = generate(seed, blocks, ops, accounts=6, depth=6, shape=shape, weights=OFTEN)
    return Chain(tuple(map(msgspec.json.encode, made.blocks)), tuple(map(msgspec.json.encode, made.receipts)))


def read_on(
    rules: StateMachine, projector: Any, folder: Path, *, until: int | None = None, **options: Any
) -> Progress:
    """Apply further blocks of an archive to a state machine."""
    return Follower(rules, projector, ArchiveSource(folder, rules.venue_filter), **options).run(until)


def replay(
    folder: Path,
    url: str | None = None,
    *,
    venue: Venue | None = None,
    until: int | None = None,
    batch: int = BATCH_BLOCKS,
    **options: Any,
) -> tuple[StateMachine, Database]:
    """Like `peakedex replay`: an archive into a new database, or a continuation of it."""
    database = open_writer(url or databases.fresh())
    rules, projector = load_or_initialise(database, venue or demo())
    read_on(rules, projector, folder, until=until, batch_blocks=batch, **options)
    return rules, database


def journal(database: Database) -> str:
    """The journal's whole text."""
    with database.connect() as connection:
        return "".join(connection.scalars(select(schema.journal.c.lines).order_by(schema.journal.c.block)))


def kinds(text: str) -> Counter[str]:
    """How many journal lines there are of each kind."""
    return Counter(line.split(" ", 1)[0] for line in text.splitlines())


def dump(database: Database) -> dict[str, list[Any]]:
    """Every row of every table that follows from the chain alone."""
    with database.connect() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(select(table))),
                key=lambda row: tuple((value is not None, value) for value in row),
            )
            for table in schema.metadata.sorted_tables
            if not table.name.startswith(NOT_STATE)
        }


def picture(state: State) -> dict[str, Any]:
    """The complete state: its text, and the queues of its books, which the text implies."""
    return {
        "text": state_text(state),
        "books": {pair.name: (_side(pair.bids), _side(pair.asks)) for pair in state.pairs.values()},
        "expiries": [each.id for each in state.expiries.ascending()],
    }


def _side(side: BookSide) -> list[tuple[int, int, int, list[str]]]:
    return [(level.price, level.remaining, level.count, _queue(level)) for level in side.levels.ascending()]


def _queue(level: PriceLevel) -> list[str]:
    queue, order = [], level.head
    while order is not None:
        queue.append(order.id)
        order = order.newer
    return queue
