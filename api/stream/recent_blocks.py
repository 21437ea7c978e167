"""The newest active blocks with their change sets, from which clients can resume."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection

from api.database import Snapshot
from settlement.store.read.position import ActiveBlock, read_active_block
from settlement.store.read.stream import CHANGE_SETS, ChangeSet, read_change_sets

MAX_CHARS: Final = 8 << 20
"""Of all change sets that are kept: fewer than `CHANGE_SETS` if they are long."""
HASH_PREFIX: Final = 8
"""Digits of the journal hash in an event id, which detect another journal."""


class OutOfSync(RuntimeError):
    """The change sets do not lead from the last block sent to the database's newest one."""


class RecentBlock:
    """An active block with its change set; `parts` is filled by the renderer on demand."""

    def __init__(self, block: ActiveBlock, text: str) -> None:
        self.block = block
        self.text = text
        self.parts: dict[Any, Any] = {}  # encoded parts of events

    @cached_property
    def changes(self) -> ChangeSet:
        return ChangeSet.read(self.text)

    def forget_changes(self) -> None:
        """Keep only the text: parsed it takes five times the memory."""
        self.__dict__.pop("changes", None)


class RecentBlocks:
    """Active blocks without gaps up to the database's newest one. Belongs to one thread."""

    def __init__(self, snapshot: Snapshot, limit: int = CHANGE_SETS) -> None:
        """`limit`: how many blocks are kept."""
        self._limit = limit
        self._venue_hash = snapshot.at.venue_hash
        self.at = self._newest(snapshot)
        self._kept: deque[RecentBlock] = deque()
        self._parsed: set[RecentBlock] = set()  # blocks that were read since the newest one came
        self._chars = 0
        self._add(_read(snapshot.connection, self.at, 0))

    def advance(self, snapshot: Snapshot) -> list[RecentBlock]:
        """Add the new blocks of the database, and return them.

        Raises OutOfSync if the journal is another one, or change sets are missing, as after catching up.
        """
        old, new = self.at, self._newest(snapshot)
        if snapshot.at.venue_hash != self._venue_hash or new.n < old.n:
            raise OutOfSync("the database has another journal")
        blocks = _read(snapshot.connection, new, old.n)
        if len(blocks) != new.n - old.n:
            raise OutOfSync(f"blocks after {old.number} were recorded without change sets")
        if (blocks[0].changes.previous if blocks else new.journal_hash) != old.journal_hash:
            raise OutOfSync(f"block {old.number} differs in the database")
        self.at = new
        self._add(blocks)
        return blocks

    def since(self, seq: int, hash_prefix: str | None) -> list[RecentBlock] | None:
        """The blocks after the event with that number. None if it is of another journal, or not kept."""
        missed = [block for block in self._kept if block.block.n > seq]
        if len(missed) != self.at.n - seq:
            return None
        journal_hash = missed[0].changes.previous if missed else self.at.journal_hash
        if hash_prefix is not None and hash_prefix != journal_hash[:HASH_PREFIX]:
            return None
        self._parsed.update(missed)
        return missed

    @property
    def first(self) -> int:
        """The number of the oldest event from which a client can resume."""
        return self.at.n - len(self._kept)

    def _newest(self, snapshot: Snapshot) -> ActiveBlock:
        """The newest active block; before the first one a block with number 0."""
        found = read_active_block(snapshot.connection, snapshot.at.block)
        return found or ActiveBlock(*(0, "", 0, self._venue_hash), *(0,) * (len(ActiveBlock._fields) - 4))

    def _add(self, blocks: list[RecentBlock]) -> None:
        if blocks:
            for block in self._parsed:
                block.forget_changes()
            self._parsed = set(blocks)
        self._kept.extend(blocks)
        self._chars += sum(len(block.text) for block in blocks)
        while len(self._kept) > self._limit or (self._chars > MAX_CHARS and len(self._kept) > 1):
            self._chars -= len(self._kept.popleft().text)


def _read(connection: Connection, newest: ActiveBlock, n: int) -> list[RecentBlock]:
    """The blocks after the n-th up to the newest, oldest first; fewer if change sets are missing or long."""
    blocks: deque[RecentBlock] = deque()
    chars = 0
    for block, text in read_change_sets(connection, n):
        chars += len(text)
        if block.n != newest.n - len(blocks) or chars > MAX_CHARS:
            break
        blocks.appendleft(RecentBlock(block, text))
    return list(blocks)
