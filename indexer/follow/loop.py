"""The follow loop: blocks from a source, through the state machine, into the database.

Catching up, following, replaying and verifying are this one loop; they differ in their source and sink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.source import Cursor, Source, SourceError
from settlement.core.events import Event, VenueFilter
from settlement.core.journal.entries import BlockResult
from settlement.core.state_machine import StateMachine

BATCH_BLOCKS: Final = 5_000
"""The most blocks in one transaction while catching up."""
BATCH_ENTRIES: Final = 20_000
"""The most journal entries (each makes one row or a few) in one transaction while catching up."""


@dataclass(slots=True)
class Progress:
    """Counters of a loop."""

    blocks: int = 0
    intents: int = 0
    rejected: int = 0  # of the intents
    trades: int = 0  # since the venue began
    last_block: int = 0


@dataclass(slots=True)
class _Batch:
    """Applied blocks that are not committed yet."""

    blocks: int = 0
    entries: int = 0
    results: list[BlockResult] = field(default_factory=list)  # of blocks with entries or intents
    receipts: list[tuple[int, str]] = field(default_factory=list)  # Hive block, JSON text

    def add(self, block: BlockResult, used_receipts: bytes | None) -> None:
        self.blocks += 1
        if used_receipts is not None:
            self.receipts.append((block.header.number, used_receipts.decode("ascii")))
        if block.entries or block.outcomes:
            self.results.append(block)
            self.entries += len(block.entries) + len(block.outcomes)


class BlockSink(Protocol):
    """Takes applied blocks: the projector records them, `audit.compare` compares them."""

    def record(self, batch: Sequence[BlockResult], receipts: Sequence[tuple[int, str]] = ()) -> None:
        """Take a batch of applied blocks: those with journal entries or intents."""
        ...


class Follower:
    """Applies the blocks of one source to one state machine. After an error, discard both."""

    def __init__(
        self,
        rules: StateMachine,
        sink: BlockSink,
        source: Source,
        *,
        batch_blocks: int = BATCH_BLOCKS,
        batch_entries: int = BATCH_ENTRIES,
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
        self._batch_entries = batch_entries
        self._read = read
        self._on_commit = on_commit
        self._on_caught_up = on_caught_up
        self._batch = _Batch()

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
                result = self._apply(block, receipts)
                self._batch.add(result, None if receipts is None else receipts.used())
                if not source.catching_up or self._is_full():
                    self._commit()
                if block.number == until:
                    break
        except SourceError:
            self._commit()
            raise
        self._commit()
        return self.progress

    def _apply(self, block: Block, receipts: Receipts | None) -> BlockResult:
        rules = self._rules
        try:
            return rules.apply(block.header, self._read(block, rules.venue_filter, receipts))
        except (BlockError, ReceiptError) as error:
            self._batch = _Batch()  # the block is half applied: nothing of the batch may be recorded
            raise SourceError(f"{self._source.where}: {error}") from None

    def _is_full(self) -> bool:
        return self._batch.blocks >= self._batch_blocks or self._batch.entries >= self._batch_entries

    def _commit(self) -> None:
        """Record the batch in one transaction, then report progress."""
        batch, self._batch = self._batch, _Batch()
        if not batch.blocks:
            return
        self._sink.record(batch.results, batch.receipts)
        progress = self.progress
        progress.blocks += batch.blocks
        for block in batch.results:
            progress.intents += len(block.outcomes)
            progress.rejected += sum(outcome.code is not None for outcome in block.outcomes)
        progress.trades = self._rules.state.last_trade
        progress.last_block = self._rules.next_block() - 1
        if self._on_commit is not None:
            self._on_commit(progress)
        if self._on_caught_up is not None and not self._source.catching_up:
            self._on_caught_up()
            self._on_caught_up = None
