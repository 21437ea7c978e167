"""The loop: blocks from a source, through the rules, into the database (house, first page).

Catching up, following and replaying are this one loop; they differ in the source alone.
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
BATCH_EFFECTS: Final = 20_000
"""The most effects (about as many rows, some times over) in one transaction while catching up."""


@dataclass(slots=True)
class Progress:
    """What a loop has done so far."""

    blocks: int = 0
    intents: int = 0
    rejected: int = 0
    trades: int = 0
    last_block: int = 0


@dataclass(slots=True)
class _Batch:
    """Blocks applied and not yet committed. Those without effects only count."""

    blocks: int = 0
    effects: int = 0
    done: list[BlockResult] = field(default_factory=list)
    receipts: list[tuple[int, str]] = field(default_factory=list)

    def add(self, block: BlockResult, used_receipts: bytes | None) -> None:
        self.blocks += 1
        if used_receipts is not None:
            self.receipts.append((block.header.number, used_receipts.decode("ascii")))
        if block.entries or block.outcomes:
            self.done.append(block)
            self.effects += len(block.entries) + len(block.outcomes)


class Keeper(Protocol):
    """What becomes of applied blocks: the recorder writes them down, `verifying` compares them."""

    def record(self, batch: Sequence[BlockResult], receipts: Sequence[tuple[int, str]] = ()) -> None:
        """Take a batch, once the engine has applied it: the blocks that had any effect or intent."""
        ...


class Follower:
    """Drives one engine along one source. After any error it must be thrown away with its engine."""

    def __init__(
        self,
        rules: StateMachine,
        recorder: Keeper,
        source: Source,
        *,
        batch_blocks: int = BATCH_BLOCKS,
        batch_effects: int = BATCH_EFFECTS,
        read: Callable[[Block, VenueFilter, Receipts | None], Iterable[Event]] = decode,
        on_commit: Callable[[Progress], None] | None = None,
        on_caught_up: Callable[[], None] | None = None,
    ) -> None:
        """`read` makes a block's events. `on_caught_up` is called once, after the first commit with no
        further block at hand."""
        self.progress = Progress()
        self._rules = rules
        self._recorder = recorder
        self._source = source
        self._batch_blocks = batch_blocks
        self._batch_effects = batch_effects
        self._read = read
        self._on_commit = on_commit
        self._on_caught_up = on_caught_up
        self._batch = _Batch()

    def run(self, until: int | None = None) -> Progress:
        """Apply and record every block of the source, up to `until` where given.

        Raises SourceError, with the place, when the source cannot go on: all blocks before are recorded
        then. What is found to be wrong only while a block is applied (a SourceError with the place, or
        InvariantError) leaves it and its batch unrecorded; the same blocks will be read again.
        """
        rules, source = self._rules, self._source
        header = rules.state.header
        after = Cursor(rules.next_block() - 1, None if header is None else header.block_id)
        if until is not None and after.number >= until:
            return self.progress
        try:
            for block, receipts in source.blocks(after):
                effects = self._apply(block, receipts)
                self._batch.add(effects, None if receipts is None else receipts.used())
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
            self._batch = _Batch()  # the engine is half way into a block: nothing of it may be recorded
            raise SourceError(f"{self._source.where}: {error}") from None

    def _is_full(self) -> bool:
        return self._batch.blocks >= self._batch_blocks or self._batch.effects >= self._batch_effects

    def _commit(self) -> None:
        """One transaction for the batch; what is published goes out after it."""
        batch, self._batch = self._batch, _Batch()
        if not batch.blocks:
            return
        self._recorder.record(batch.done, batch.receipts)
        progress = self.progress
        progress.blocks += batch.blocks
        for block in batch.done:
            progress.intents += len(block.outcomes)
            progress.rejected += sum(intent.code is not None for intent in block.outcomes)
        progress.trades = self._rules.state.last_trade
        progress.last_block = self._rules.next_block() - 1
        if self._on_commit is not None:
            self._on_commit(progress)
        if self._on_caught_up is not None and not self._source.catching_up:
            self._on_caught_up()
            self._on_caught_up = None
