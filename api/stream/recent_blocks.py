"""The newest active blocks, from which clients can resume, and the market after the last of them.

On start the market is loaded as of the start of a minute before the oldest of these blocks, where books and
candles can be read from the database, and the journal is replayed from there. So a new server can resume
clients from as far back as a server that has run for days.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from api.database import Snapshot
from api.http.formatting import PairFormat
from api.stream.account_changes import AccountRows
from api.stream.market_loader import load_market
from api.stream.market_replay import BlockChanges, MarketReplay
from api.stream.order_books import LevelKey, OutOfSync
from api.stream.topics import Pair
from settlement.store.read.market.candles import MINUTE, start_of
from settlement.store.read.position import ActiveBlock
from settlement.store.read.stream import (
    StreamBlock,
    read_active_blocks,
    read_levels_at,
    read_newest_block_before,
    read_nth_newest_block,
)
from settlement.store.read.venue import read_pairs, read_tokens

BLOCKS: Final = 1_000
"""Active blocks kept; fewer if their journal lines exceed MAX_CHARS."""
MAX_CHARS: Final = 8 << 20
HASH_PREFIX: Final = 8
"""Digits of the journal hash in an event id, which detect another journal."""


class RecentBlock:
    """An active block with its changes; `parts` and `rows` are filled by the renderer on demand."""

    def __init__(self, past: ActiveBlock, changes: BlockChanges, chars: int) -> None:
        self.past = past
        self.changes = changes
        self.chars = chars
        self.parts: dict[Any, Any] = {}  # encoded parts of events
        self.rows: AccountRows | None = None


class RecentBlocks:
    """Belongs to one thread. Unusable after it raised OutOfSync."""

    def __init__(self, snapshot: Snapshot, blocks: int = BLOCKS) -> None:
        self._blocks = blocks
        self._venue_hash = snapshot.at.venue_hash
        self._kept: deque[RecentBlock] = deque()
        self._chars = 0
        self._read_rules(snapshot.connection)
        self._base, self._market = self._start(snapshot.connection)
        self._replay(snapshot.connection, check=False)
        self._check(snapshot.connection, self._market.books.level_keys())

    @property
    def base(self) -> ActiveBlock:
        """The active block before the oldest one kept."""
        return self._base

    @property
    def at(self) -> ActiveBlock:
        """The newest active block."""
        return self._market.at

    @property
    def market(self) -> MarketReplay:
        return self._market

    def advance(self, snapshot: Snapshot) -> list[RecentBlock]:
        """Replay up to the snapshot's newest block, and return the new blocks.

        Raises OutOfSync if the journal is another one, or too many blocks are new.
        """
        if snapshot.at.venue_hash != self._venue_hash:
            raise OutOfSync("the database belongs to another venue")
        return self._replay(snapshot.connection, check=True)

    def since(self, seq: int, hash_prefix: str | None) -> list[RecentBlock] | None:
        """The blocks after that event. None if it is too old, or of another journal."""
        first = self._base.n
        if not first <= seq <= self.at.n:
            return None
        past = self._base if seq == first else self._kept[seq - first - 1].past
        if hash_prefix is not None and hash_prefix != past.journal_hash[:HASH_PREFIX]:
            return None
        return [self._kept[place] for place in range(seq - first, len(self._kept))]

    def _start(self, connection: Connection) -> tuple[ActiveBlock, MarketReplay]:
        """The active block to replay from, with its market: the empty one if all blocks are kept."""
        oldest = read_nth_newest_block(connection, self._blocks - 1)
        if oldest is not None:
            until = start_of(oldest.timestamp, MINUTE)
            base = read_newest_block_before(connection, oldest.number, until)
            if base is not None:
                return base, load_market(connection, base, until, self._pair_ids())
        base = ActiveBlock(0, "", 0, self._venue_hash, *(0,) * 5)
        return base, MarketReplay(base)

    def _replay(self, connection: Connection, *, check: bool) -> list[RecentBlock]:
        new: list[RecentBlock] = []
        at = self.at
        while blocks := self._next_blocks(connection):
            new.extend(map(self._add, blocks))
            if check and len(new) > self._blocks:
                raise OutOfSync(f"more than {self._blocks} blocks after block {at.number}")
        if any(block.changes.rules_changed for block in new):
            self._read_rules(connection)
        if check:
            self._check(
                connection,
                {
                    (pair, *at)
                    for block in new
                    for pair, levels in block.changes.levels.items()
                    for at in levels
                },
            )
        return new

    def _next_blocks(self, connection: Connection) -> Sequence[StreamBlock]:
        """The next blocks, after a check that the current one is unchanged in the database."""
        at = self.at
        blocks = read_active_blocks(connection, at.number - 1 if at.n else at.number, self._blocks)
        if not at.n:
            return blocks
        if not blocks or blocks[0].past != at:
            raise OutOfSync(f"block {at.number} differs in the database")
        return blocks[1:]

    def _add(self, block: StreamBlock) -> RecentBlock:
        recent = RecentBlock(block.past, self._market.replay(block), len(block.lines))
        self._kept.append(recent)
        self._chars += recent.chars
        while len(self._kept) > self._blocks or (self._chars > MAX_CHARS and len(self._kept) > 1):
            oldest = self._kept.popleft()
            self._base = oldest.past
            self._chars -= oldest.chars
        return recent

    def _pair_ids(self) -> dict[Pair, int]:
        return {pair: fmt.row.id for pair, fmt in self.formats.items()}

    def _read_rules(self, connection: Connection) -> None:
        self.pairs = read_pairs(connection)
        self.formats = {Pair(row.base, row.quote): PairFormat(row) for row in self.pairs.values()}
        self.precisions = {token.symbol: token.precision for token in read_tokens(connection)}

    def _check(self, connection: Connection, keys: set[LevelKey]) -> None:
        """Compare levels with the database, which is at the same block. Raises OutOfSync."""
        sides: dict[tuple[Pair, bool], list[int]] = {}
        for pair, is_buy, price in keys:
            sides.setdefault((pair, is_buy), []).append(price)
        for (pair, is_buy), prices in sides.items():
            rows = read_levels_at(connection, self.formats[pair].row.id, is_buy, prices)
            for price in prices:
                level = self._market.books.level((pair, is_buy, price))
                row = rows.get(price)
                if level != ((0, 0) if row is None else (row.remaining, row.orders)):
                    raise OutOfSync(f"the book of {pair} at {price} is {level}, but {row} in the database")
