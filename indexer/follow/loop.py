"""The follow loop: blocks from a source, through the state machine, into a sink such as the database.

Catching up, following, replaying and verifying are this one loop; they differ in their source and sink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode
from indexer.chain.escrow_operations import EscrowOperation, escrow_operations
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.source import Cursor, Source, SourceError
from settlement.core.events import Event, VenueFilter
from settlement.core.journal.lines import JournalEntry
from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine, UpgradeRequired
from settlement.store.write.projector import Batch, totals_of

BATCH_BLOCKS: Final = 5_000
"""The most blocks in one transaction while catching up."""
BATCH_CHARACTERS: Final = 2_000_000
"""The most characters of journal text in one transaction while catching up.

Rules and projector overlap but for the first and the last batch. Half of it costs the projector 8 % more."""
FIRST_BATCH_CHARACTERS: Final = 500_000
"""The same for the first transaction: the sooner it is full, the sooner the projector's process starts."""
STATE_CHECK_BLOCKS: Final = 100_000
"""How often the projector compares its whole state with the rules'; also at the end of a run."""


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
    """Applied blocks that the sink has not got yet."""

    blocks: int = 0
    characters: int = 0  # of journal text
    entries: list[JournalEntry] = field(default_factory=list)  # of blocks with lines
    receipts: list[tuple[int, str]] = field(default_factory=list)  # Hive block, JSON text
    escrow_operations: list[EscrowOperation] = field(default_factory=list)

    def add(
        self, entry: JournalEntry, used_receipts: bytes | None, operations: list[EscrowOperation]
    ) -> None:
        self.blocks += 1
        self.escrow_operations += operations
        self.characters += sum(len(operation.text) for operation in operations)
        if used_receipts is not None:
            self.receipts.append((entry.header.number, used_receipts.decode("ascii")))
        if entry.text:
            self.entries.append(entry)
            self.characters += len(entry.text)


class BatchSink(Protocol):
    """Takes applied blocks: `BatchWriter` records them, `audit.compare` compares them."""

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
        on_batch: Callable[[Progress], None] | None = None,
        on_caught_up: Callable[[], None] | None = None,
    ) -> None:
        """`read` decodes a block into events. `on_batch` is called after each batch that the sink has taken,
        `on_caught_up` once, after the first live one."""
        self.progress = Progress()
        self._rules = rules
        self._sink = sink
        self._source = source
        self._batch_blocks = batch_blocks
        self._batch_characters = batch_characters
        self._limit = min(batch_characters, FIRST_BATCH_CHARACTERS)  # of characters in the pending batch
        self._read = read
        self._on_batch = on_batch
        self._on_caught_up = on_caught_up
        self._pending = _Pending()
        self._next_check = rules.next_block() + STATE_CHECK_BLOCKS

    def run(self, until: int | None = None) -> Progress:
        """Apply every block of the source, up to `until` where given, and hand it to the sink.

        Live, each block is a batch of its own. Raises SourceError, naming the place, when the source cannot
        continue, and UpgradeRequired before the first block of another protocol: all blocks before are then
        in the sink. An error while a block is applied (SourceError or InvariantError) leaves the block and
        its batch out: they are read again after a restart.
        """
        rules, source = self._rules, self._source
        header = rules.state.header
        after = Cursor(rules.next_block() - 1, None if header is None else header.block_id)
        if until is not None and after.number >= until:
            return self.progress
        try:
            for block, receipts in source.blocks(after):
                live = not source.catching_up
                if live:
                    self._hand_over()
                entry = self._apply(block, receipts)
                self._pending.add(
                    entry,
                    None if receipts is None else receipts.used(),
                    escrow_operations(block, rules.venue_filter),
                )
                if live or self._is_full():
                    self._hand_over(live=live)
                if block.number == until:
                    break
        except (SourceError, UpgradeRequired):
            self._hand_over()
            raise
        self._hand_over(check=True)
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
        return pending.blocks >= self._batch_blocks or pending.characters >= self._limit

    def _hand_over(self, *, live: bool = False, check: bool = False) -> None:
        """Give the pending blocks to the sink, then report progress."""
        pending, self._pending = self._pending, _Pending()
        if not pending.blocks:
            return
        state = self._rules.state
        assert state.header is not None
        if state.header.number >= self._next_check:
            self._next_check = state.header.number + STATE_CHECK_BLOCKS
            check = True
        self._sink.project(
            Batch(
                entries=pending.entries,
                receipts=pending.receipts,
                end=state.header,
                totals=totals_of(state),
                state_hash=state_hash(state) if check else None,
                live=live,
                escrow_operations=pending.escrow_operations,
            )
        )
        self._limit = self._batch_characters
        self._report(pending)
        if live and self._on_caught_up is not None:
            self._on_caught_up()
            self._on_caught_up = None

    def _report(self, pending: _Pending) -> None:
        progress = self.progress
        progress.blocks += pending.blocks
        for entry in pending.entries:
            rejected = entry.text.count("\nreject ")
            progress.intents += entry.text.count("\naccept ") + rejected
            progress.rejected += rejected
        progress.trades = self._rules.state.last_trade
        progress.last_block = self._rules.next_block() - 1
        if self._on_batch is not None:
            self._on_batch(progress)
