"""The follow loop: blocks from a source, through the state machine, into the database.

Catching up, following, replaying and verifying are this one loop; they differ in their source and sink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.source import Cursor, Source, SourceError
from settlement.core.events import Event, VenueFilter
from settlement.core.journal.lines import JournalEntry
from settlement.core.state_machine import StateMachine
from settlement.store.write.projector import Batch, totals_of

BATCH_BLOCKS: Final = 5_000
"""The most blocks in one transaction while catching up."""
BATCH_CHARACTERS: Final = 4_000_000
"""The most characters of journal text in one transaction while catching up."""


@dataclass(slots=True)
class Progress:
    """Counters of a loop."""

    blocks: int = 0
    intents: int = 0
    rejected: int = 0  # of the intents
    trades: int = 0  # since the venue began
    last_block: int = 0


@dataclass(slots=True)
class _Pending:
    """Applied blocks that are not committed yet."""

    blocks: int = 0
    characters: int = 0  # of journal text
    entries: list[JournalEntry] = field(default_factory=list)  # of blocks with lines
    receipts: list[tuple[int, str]] = field(default_factory=list)  # Hive block, JSON text

    def add(self, entry: JournalEntry, used_receipts: bytes | None) -> None:
        self.blocks += 1
        if used_receipts is not None:
            self.receipts.append((entry.header.number, used_receipts.decode("ascii")))
        if entry.text:
            self.entries.append(entry)
            self.characters += len(entry.text)


class BatchSink(Protocol):
    """Takes applied blocks: the projector records them, `audit.compare` compares them."""

    def project(self, batch: Batch) -> None:
        """Take a batch of applied blocks."""
        ...


class Follower:
    """Applies the blocks of one source to one state machine. After an error, discard both."""

    def __init__(
        self,
        rules: StateMachine,
        sink: BatchSink,
        source: Source,
        *,
        batch_blocks: int = BATCH_BLOCKS,
        batch_characters: int = BATCH_CHARACTERS,
        read: Callable[[Block, VenueFilter, Receipts | None], Iterable[Event]] = decode,
        on_commit: Callable[[Progress], None] | None = None,
        on_caught_up: Callable[[], None] | None = None,
    ) -> None:
        """`read` decodes a block into events. `on_caught_up` is called once, after the first commit when
        the source is no longer catching up."""
        self.progress = Progress()
        self._rules = rules
        self._sink = sink
        self._source = source
        self._batch_blocks = batch_blocks
        self._batch_characters = batch_characters
        self._read = read
        self._on_commit = on_commit
        self._on_caught_up = on_caught_up
        self._pending = _Pending()

    def run(self, until: int | None = None) -> Progress:
        """Apply and record every block of the source, up to `until` where given.

        Raises SourceError, naming the place, when the source cannot continue: all blocks before are then
        recorded. An error while a block is applied (SourceError or InvariantError) leaves the block and its
        batch unrecorded: they are read again after a restart.
        """
        rules, source = self._rules, self._source
        header = rules.state.header
        after = Cursor(rules.next_block() - 1, None if header is None else header.block_id)
        if until is not None and after.number >= until:
            return self.progress
        try:
            for block, receipts in source.blocks(after):
                entry = self._apply(block, receipts)
                self._pending.add(entry, None if receipts is None else receipts.used())
                if not source.catching_up or self._is_full():
                    self._commit()
                if block.number == until:
                    break
        except SourceError:
            self._commit()
            raise
        self._commit()
        return self.progress

    def _apply(self, block: Block, receipts: Receipts | None) -> JournalEntry:
        rules = self._rules
        try:
            return rules.apply(block.header, self._read(block, rules.venue_filter, receipts))
        except (BlockError, ReceiptError) as error:
            self._pending = _Pending()  # the block is half applied: nothing of the batch may be recorded
            raise SourceError(f"{self._source.where}: {error}") from None

    def _is_full(self) -> bool:
        pending = self._pending
        return pending.blocks >= self._batch_blocks or pending.characters >= self._batch_characters

    def _commit(self) -> None:
        """Record the batch in one transaction, then report progress."""
        pending, self._pending = self._pending, _Pending()
        if not pending.blocks:
            return
        state = self._rules.state
        assert state.header is not None
        self._sink.project(Batch(pending.entries, pending.receipts, state.header, totals_of(state)))
        progress = self.progress
        progress.blocks += pending.blocks
        for entry in pending.entries:
            rejected = entry.text.count("\nreject ")
            progress.intents += entry.text.count("\naccept ") + rejected
            progress.rejected += rejected
        progress.trades = self._rules.state.last_trade
        progress.last_block = self._rules.next_block() - 1
        if self._on_commit is not None:
            self._on_commit(progress)
        if self._on_caught_up is not None and not self._source.catching_up:
            self._on_caught_up()
            self._on_caught_up = None
