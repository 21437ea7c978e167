"""Verification: derives journal and state from blocks, and compares them with a target and a checkpoint."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from indexer.audit.chain_rows import ChainRowsComparator
from indexer.audit.checkpoint_claim import newest_claim
from indexer.audit.compare import (
    JournalComparator,
    Mismatch,
    MismatchFound,
    Target,
    TargetUnavailable,
    compare_states,
)
from indexer.audit.targets import ApiTarget, DatabaseTarget, EvidenceTarget
from indexer.follow.loop import Follower, Progress
from indexer.follow.memory import tune_gc
from indexer.sources.source import Source
from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.state import InvariantError
from settlement.core.state_machine import StateMachine
from settlement.net.backoff import Stopped
from settlement.store.database import StoreError
from settlement.store.write.projector import Batch
from settlement.store.write.snapshot import CheckpointClaim

CHECKPOINT: Final = "checkpoint"
OWN_ROWS: Final = "rows against its own journal"
_FAULTS: Final = (InvariantError, StoreError, ValueError)
"""Errors of reading rows that are not the journal's; a number that is none is a ValueError."""


@dataclass(frozen=True)
class Verified:
    """The result where nothing differs."""

    compared: list[str]  # journal, state, and of a database rows, current rows or OWN_ROWS
    last_block: int
    blocks_with_lines: int
    ended_because: str
    seconds: float
    checkpoint: CheckpointClaim | None  # the newest one, whose hashes are those that were derived


class Verification:
    """One comparison: the journal block by block, then the state at the last block, and a checkpoint's."""

    def __init__(
        self,
        rules: StateMachine,
        source: Source,
        side: Target,
        until: int | None,
        stop: threading.Event,
        *,
        expected_claim: CheckpointClaim | None,
        on_block: Callable[[int, int], object],
    ) -> None:
        """`expected_claim` says at which block to compute the state's hash; it is not believed.

        `on_block` gets the number of a derived block, and the last one. Raises StoreError.
        """
        if until is not None and until < rules.next_block():
            raise StoreError(f"--until {until}: the venue starts at block {rules.next_block()}")
        self._rules = rules
        self._source = source
        self._side = side
        self._until = until
        self._stop = stop
        self._expected = expected_claim
        self._on_block = on_block
        self._sink = _Sink(JournalComparator(rules))
        self._hashes: tuple[int, str, str] | None = None  # block, state and journal hash of the claimed block

    def run(self) -> Verified:
        """Compare. Raises MismatchFound, TargetError and Stopped."""
        rules, side, started = self._rules, self._side, time.perf_counter()
        tune_gc()
        aim = side.last if self._until is None else min(self._until, side.last)
        claimed = None if self._expected is None else self._expected.claimed_block
        begins = side.begins if isinstance(side, DatabaseTarget) else None
        if begins is not None:
            self._derive_unseen(begins, aim, claimed)
        if claimed is not None and rules.next_block() <= claimed < aim:
            self._derive(claimed)
        try:
            self._derive(aim)
        except MismatchFound as found:
            self._must_have_a_journal(found.mismatch)
            raise
        self._remember(claimed)
        last = rules.next_block() - 1
        compared = ["journal"]
        if rules.state.header is not None:
            with self._rows_must_follow((ValueError,)):
                theirs = side.state(last)
            if theirs is not None:
                where = f"the state of this block according to {side.name}"
                compare_states(rules, theirs, where, self._sink.journal.newest)
                compared.append("state")
        if isinstance(side, DatabaseTarget):
            compared += self._compare_rows(side, reached=last == side.last)
        last = rules.next_block() - 1
        return Verified(
            compared=compared,
            last_block=last,
            blocks_with_lines=self._sink.journal.blocks,
            ended_because=self._why(last),
            seconds=time.perf_counter() - started,
            checkpoint=self._checked_claim(),
        )

    def _must_have_a_journal(self, found: Mismatch) -> None:
        """Raise TargetUnavailable if an API lacks the first lines because its history begins later."""
        side = self._side
        if (
            isinstance(side, ApiTarget)
            and found.theirs is None
            and not self._sink.journal.blocks
            and side.begins_after(found.block)
        ):
            raise TargetUnavailable(
                f"the API's history begins after block {found.block}, with a state text: compare with its "
                "database, or with an exchange that has the whole history"
            )

    def _derive_unseen(self, begins: int, aim: int, claimed: int | None) -> None:
        """Derive what is before the target's history, which begins with the state text of a block.

        Raises StoreError if the comparison is to end there.
        """
        rules = self._rules
        if aim < begins:
            raise StoreError(
                f"--until {self._until}: {self._side.name} begins with the state of block {begins}"
            )
        unseen = _Unseen(self._sink)
        for last in sorted({begins, min(claimed or begins, begins)}):
            if rules.next_block() <= last:
                Follower(rules, unseen, self._source, on_batch=self._on_batch(aim)).run(last)
                self._remember(claimed)
        ended = rules.next_block() - 1
        if ended < begins:
            raise StoreError(
                f"the source of blocks ends at block {ended}; {self._side.name} begins with the state of "
                f"block {begins}: give a longer --archive, or nodes with --node"
            )
        self._sink.journal.begin()

    def _derive(self, aim: int) -> None:
        """Derive and compare up to block `aim`, or the end of the source."""
        rules = self._rules
        if aim < rules.next_block():
            return
        self._sink.expect(self._side, rules.next_block(), aim)
        Follower(
            rules,
            self._sink,
            self._source,
            batch_characters=1,
            read=self._sink.journal.decode,
            on_batch=self._on_batch(aim),
        ).run(aim)
        self._remember(None if self._expected is None else self._expected.claimed_block)

    def _on_batch(self, aim: int) -> Callable[[Progress], None]:
        def compared(progress: Progress) -> None:
            if self._stop.is_set():
                raise Stopped
            self._on_block(progress.last_block, aim)

        return compared

    def _remember(self, claimed: int | None) -> None:
        """Note the hashes at the block of the expected checkpoint."""
        rules = self._rules
        if claimed is not None and rules.next_block() - 1 == claimed and self._hashes is None:
            self._hashes = claimed, state_hash(rules.state), rules.state.journal_hash

    def _checked_claim(self) -> CheckpointClaim | None:
        """The newest checkpoint that was derived, if its state was computed. Raises MismatchFound."""
        claim = self._sink.claim
        if claim is None or self._hashes is None or self._hashes[0] != claim.claimed_block:
            return None
        _, ours, our_journal = self._hashes
        if (ours, our_journal) == (claim.state_hash, claim.journal_hash):
            return claim
        is_state = ours != claim.state_hash
        raise MismatchFound(
            Mismatch(
                CHECKPOINT,
                claim.claimed_block,
                None,
                f"state hash {ours}" if is_state else f"journal hash {our_journal}",
                f"state hash {claim.state_hash}" if is_state else f"journal hash {claim.journal_hash}",
                f"the checkpoint of {claim.account} in block {claim.block}, transaction {claim.id}",
            )
        )

    def _compare_rows(self, side: DatabaseTarget, *, reached: bool) -> list[str]:
        """Compare a database's rows, after deriving up to its newest block, which the indexer advances.

        Where the comparison ends before that, they are compared with the database's own journal, which is
        verified up to there. Returns what was compared. Raises MismatchFound.
        """
        if reached:
            with self._rows_must_follow():
                rows = side.rows()
            self._derive(rows.next_block() - 1)
            reached = rows.state.header == self._rules.state.header
            if reached:
                compare_states(self._rules, state_text(rows.state), "what the API shows of the newest block")
        with self._rows_must_follow():
            is_complete = side.check_rows()
        if not reached:
            return [OWN_ROWS] if is_complete else []
        return ["rows"] if is_complete else ["current rows"]

    @contextmanager
    def _rows_must_follow(self, faults: tuple[type[Exception], ...] = _FAULTS) -> Iterator[None]:
        """Rows that are not those of the journal, or that no number can be read from, are a mismatch."""
        try:
            yield
        except faults as error:
            last = self._rules.next_block() - 1
            cause = "the journal is identical, but the rows that the API serves do not follow from it"
            raise MismatchFound(Mismatch("rows", last, None, None, str(error), cause)) from None

    def _why(self, last: int) -> str:
        if last == self._until:
            return "--until"
        if last >= self._side.last:
            ended = "" if isinstance(self._side, EvidenceTarget) else " when the comparison began"
            return f"{self._side.name} ended there{ended}"
        return f"the source has no later block; {self._side.name} continues to {self._side.last}"


class _Sink:
    """Takes the blocks of the follow loop: compares lines, and rows that come from the chain alone."""

    def __init__(self, journal: JournalComparator) -> None:
        self.journal = journal
        self.claim: CheckpointClaim | None = None
        """The newest checkpoint that was derived."""
        self._rows: ChainRowsComparator | None = None

    def expect(self, side: Target, first: int, last: int) -> None:
        """What to compare with from now on."""
        self.journal.expect(side.blocks(first, last))
        self._rows = side.chain_rows(first, last) if isinstance(side, DatabaseTarget) else None

    def project(self, batch: Batch) -> None:
        """Compare a batch. Raises MismatchFound and TargetError."""
        self.journal.project(batch)
        self.note_claims(batch)
        if self._rows is not None:
            self._rows.compare(batch)

    def note_claims(self, batch: Batch) -> None:
        """Remember the newest checkpoint."""
        for entry in batch.entries:
            self.claim = newest_claim(entry.header.number, entry.text) or self.claim


class _Unseen:
    """Takes blocks of which the target has no journal."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink

    def project(self, batch: Batch) -> None:
        self._sink.note_claims(batch)
