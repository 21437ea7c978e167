"""The newest blocks of ours, as far back as a listener may resume, and the market after the last of them.

It starts in the past: at a minute's begin before the oldest block that it keeps, so that the books of that
block and the candles of that minute are what the database knows of them, and plays the journal from there.
A server that was started a moment ago can so resume as far back as one that runs for days.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from api.database import Snapshot
from api.http.formatting import PairShow
from api.stream.accounts import AccountRows
from api.stream.books import OutOfStep, Spot
from api.stream.market import Facts, Market
from api.stream.snapshot import market_at
from api.stream.topics import Pair
from settlement.store.read.market.candles import MINUTE, start_of
from settlement.store.read.position import Past
from settlement.store.read.stream import OurBlock, read_back, read_before, read_levels_at, read_our_blocks
from settlement.store.read.venue import read_pairs, read_tokens

BLOCKS: Final = 1_000
"""Blocks of ours that are kept; fewer where their text is long."""
MOST_CHARS: Final = 8 << 20
MARK: Final = 8
"""Digits of the journal hash in an event's id: they tell two journals apart."""


class Entry:
    """One block of ours: what it changed, with rows and bytes as far as they were asked for."""

    def __init__(self, past: Past, facts: Facts, chars: int) -> None:
        self.past = past
        self.facts = facts
        self.chars = chars
        self.parts: dict[Any, Any] = {}
        self.rows: AccountRows | None = None


class History:
    """Belongs to one thread. After an OutOfStep it must be thrown away."""

    def __init__(self, snapshot: Snapshot, blocks: int = BLOCKS) -> None:
        self._blocks = blocks
        self._venue_hash = snapshot.at.venue_hash
        self._entries: deque[Entry] = deque()
        self._chars = 0
        self._read_rules(snapshot.connection)
        self._first, self._market = self._start(snapshot.connection)
        self._play(snapshot.connection, check=False)
        self._check(snapshot.connection, self._market.books.spots())

    @property
    def first(self) -> Past:
        """The block of ours before the oldest that is kept."""
        return self._first

    @property
    def at(self) -> Past:
        """The newest block of ours."""
        return self._market.at

    @property
    def market(self) -> Market:
        return self._market

    def advance(self, snapshot: Snapshot) -> list[Entry]:
        """Go on to the snapshot's newest block, and tell what is new.

        Raises OutOfStep where that is another journal, or too far away to be told block by block.
        """
        if snapshot.at.venue_hash != self._venue_hash:
            raise OutOfStep("the database is another venue's")
        return self._play(snapshot.connection, check=True)

    def since(self, seq: int, mark: str | None) -> list[Entry] | None:
        """What came after an event that was told. None where that is too old, or of another journal."""
        first = self._first.n
        if not first <= seq <= self.at.n:
            return None
        past = self._first if seq == first else self._entries[seq - first - 1].past
        if mark is not None and mark != past.journal_hash[:MARK]:
            return None
        return [self._entries[place] for place in range(seq - first, len(self._entries))]

    def _start(self, connection: Connection) -> tuple[Past, Market]:
        """Where to begin: at nothing, where there are no more blocks than are kept."""
        oldest = read_back(connection, self._blocks - 1)
        if oldest is not None:
            until = start_of(oldest.timestamp, MINUTE)
            base = read_before(connection, oldest.number, until)
            if base is not None:
                return base, market_at(connection, base, until, self._numbers())
        base = Past(0, "", 0, self._venue_hash, *(0,) * 5)
        return base, Market(base)

    def _play(self, connection: Connection, *, check: bool) -> list[Entry]:
        new: list[Entry] = []
        at = self.at
        while blocks := self._next_blocks(connection):
            new.extend(map(self._add, blocks))
            if check and len(new) > self._blocks:
                raise OutOfStep(f"block {at.number} is too far behind")
        if any(entry.facts.rules_changed for entry in new):
            self._read_rules(connection)
        if check:
            self._check(
                connection,
                {
                    (pair, *at)
                    for entry in new
                    for pair, levels in entry.facts.levels.items()
                    for at in levels
                },
            )
        return new

    def _next_blocks(self, connection: Connection) -> Sequence[OurBlock]:
        """The next ones, after making sure that the one we stand on is still what it was."""
        at = self.at
        blocks = read_our_blocks(connection, at.number - 1 if at.n else at.number, self._blocks)
        if not at.n:
            return blocks
        if not blocks or blocks[0].past != at:
            raise OutOfStep(f"block {at.number} is another one in the database")
        return blocks[1:]

    def _add(self, block: OurBlock) -> Entry:
        entry = Entry(block.past, self._market.play(block), len(block.lines))
        self._entries.append(entry)
        self._chars += entry.chars
        while len(self._entries) > self._blocks or (self._chars > MOST_CHARS and len(self._entries) > 1):
            oldest = self._entries.popleft()
            self._first = oldest.past
            self._chars -= oldest.chars
        return entry

    def _numbers(self) -> dict[Pair, int]:
        return {pair: show.row.id for pair, show in self.shows.items()}

    def _read_rules(self, connection: Connection) -> None:
        self.pairs = read_pairs(connection)
        self.shows = {Pair(row.base, row.quote): PairShow(row) for row in self.pairs.values()}
        self.precisions = {token.symbol: token.precision for token in read_tokens(connection)}

    def _check(self, connection: Connection, spots: set[Spot]) -> None:
        """Hold levels against the database, which stands where we do."""
        sides: dict[tuple[Pair, bool], list[int]] = {}
        for pair, is_buy, price in spots:
            sides.setdefault((pair, is_buy), []).append(price)
        for (pair, is_buy), prices in sides.items():
            stands = read_levels_at(connection, self.shows[pair].row.id, is_buy, prices)
            for price in prices:
                level = self._market.books.level((pair, is_buy, price))
                row = stands.get(price)
                if level != ((0, 0) if row is None else (row.remaining, row.orders)):
                    raise OutOfStep(f"the book of {pair} at {price} is {level}, the database says {row}")
