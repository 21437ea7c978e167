"""Compares a replay with a target's journal, block by block and line by line, and with its state at the end.

The target is untrusted: its lines are hashed here, and its hashes only compared. A mismatch names the first
line that differs, and the operation on the chain that caused the replay's version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, NamedTuple, NoReturn, Protocol

from msgspec import Raw

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.sources.source import Cursor, LiveSource
from settlement.core.events import BlockHeader, Event, VenueFilter
from settlement.core.journal.lines import block_line, chain_hash, iso_time
from settlement.core.journal.state_lines import NO_BLOCK
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from settlement.net.backoff import Waiting
from settlement.store.write.projector import Batch

JOURNAL_LINE: Final = "journal line"
JOURNAL_HASH: Final = "journal hash"
STATE_LINE: Final = "state line"
_SHOWN_CHARACTERS: Final = 4_000
_GRANT: Final = re.compile(r"grant (\S+) (\S+) ([0-9]{1,18}) ")
_ENDS: Final = re.compile(r"(?:grant|timer) (\S+) (\S+) ")
"""A grant, or a timer: account, and who may act for it or has set it."""


class TargetError(Exception):
    """The target is invalid; the text says what is wrong, and where."""


class TargetUnavailable(TargetError):
    """The target does not answer: the comparison has no result."""


class TargetBlock(NamedTuple):
    """A block's part of the target's journal."""

    number: int
    lines: str
    journal_hash: str | None = None  # after this block, as the target reports it; None where it does not


class Target(Protocol):
    """A verification target."""

    @property
    def name(self) -> str:
        """Its name in messages: `the database`."""
        ...

    @property
    def last(self) -> int:
        """Its last block when it was opened."""
        ...

    def blocks(self, first: int, last: int) -> Iterator[TargetBlock]:
        """Its journal from one block to another, in ascending order. Raises TargetError."""
        ...

    def state(self, block: int) -> str | None:
        """Its state text after a block; None where it has none. Raises TargetError."""
        ...


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first difference between the replay and the target."""

    what: str  # JOURNAL_LINE, JOURNAL_HASH, STATE_LINE or "rows"
    block: int
    line: int | None  # from 1 in the block's part of the journal, or in the state
    ours: str | None  # None where the replay has no such line
    theirs: str | None  # None where the target has no such line
    cause: str  # the operation that caused the line, or another explanation


class MismatchFound(Exception):
    """Replay and target differ."""

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__(f"{mismatch.what} of block {mismatch.block}")
        self.mismatch = mismatch


@dataclass(slots=True)
class _Trace:
    """The current block and its events, each with the number of journal lines before it."""

    block: Block | None = None
    events: list[tuple[int, Event]] = field(default_factory=list)
    decided: int | None = None  # number of lines when all events were decided; stops fire after that


class JournalComparator:
    """Compares each replayed block with the target's; it takes the projector's place in the follow loop.

    The loop must commit after each block with journal lines (`batch_characters=1`) and decode through
    `decode`.
    """

    def __init__(self, rules: StateMachine) -> None:
        self.blocks = 0
        """Number of blocks with journal lines that agreed."""
        self.newest = NO_BLOCK
        """The `block` line of the newest of them."""
        self._rules = rules
        self._theirs: Iterator[TargetBlock] = iter(())
        self._next: TargetBlock | None = None
        self._hash = rules.state.venue_hash
        self._trace = _Trace()

    def expect(self, theirs: Iterator[TargetBlock]) -> None:
        """Set the target's blocks to compare with from now on."""
        self._theirs = theirs
        self._next = next(theirs, None)

    def begin(self) -> None:
        """Go on after the block that the rules have applied, with which the target's history begins."""
        header = self._rules.state.header
        assert header is not None
        self._hash = self._rules.state.journal_hash
        self.newest = block_line(header.number, header.block_id, header.timestamp)

    def decode(self, block: Block, venue_filter: VenueFilter, receipts: Receipts | None) -> Iterator[Event]:
        """Decoder for the follow loop that remembers the block's events. Raises MismatchFound."""
        if self._next is not None and self._next.number < block.number:
            self._refuse(self._next)  # the block before had lines there, and none here
        self._trace = trace = _Trace(block)
        written = self._rules.state.changes.journal
        for event in decode(block, venue_filter, receipts):
            trace.events.append((len(written), event))
            yield event
        trace.decided = len(written)

    def project(self, batch: Batch) -> None:
        """Compare the block that was just applied. Raises MismatchFound and TargetError."""
        header = batch.end
        ours = batch.entries[0].text if batch.entries else ""
        theirs = self._take(header.number)
        if theirs is None and not ours:
            return
        said = theirs.lines if theirs is not None else ""
        if ours != said:
            raise MismatchFound(self._difference(header.number, ours, said))
        self._hash = chain_hash(self._hash, said)
        if theirs is not None and theirs.journal_hash not in (None, self._hash):
            raise MismatchFound(
                Mismatch(
                    JOURNAL_HASH,
                    header.number,
                    None,
                    self._hash,
                    theirs.journal_hash,
                    "the lines agree: the target's hash is not the hash of its own journal",
                )
            )
        self.blocks += 1
        self.newest = ours.partition("\n")[0]

    def _take(self, number: int) -> TargetBlock | None:
        """The target's part of a block; None where it has none."""
        theirs = self._next
        if theirs is None or theirs.number > number:
            return None
        if theirs.number < number:
            self._refuse(theirs)
        self._next = next(self._theirs, None)
        return theirs

    def _refuse(self, theirs: TargetBlock) -> NoReturn:
        """Raise the error for a block of the target that has no lines here."""
        block = self._trace.block
        if block is None or block.number != theirs.number:
            raise TargetError(f"block {theirs.number} is before the venue's first block")
        raise MismatchFound(self._difference(theirs.number, "", theirs.lines))

    def _difference(self, block: int, ours: str, theirs: str) -> Mismatch:
        line, mine, other = first_difference(ours, theirs)
        if not ours or not theirs:  # only one has the block: its second line says what happened in it
            lines = _lines(ours or theirs)[:2]
            line, shown = len(lines), _plain(lines[-1])
            mine, other = (shown, None) if ours else (None, shown)
        cause = self._cause(line - 2) if mine is not None else self._cause_of_line(other or "")
        cause = self._unread_operation(other or "") or cause
        return Mismatch(JOURNAL_LINE, block, line, mine, other, cause)

    def _cause(self, line: int) -> str:
        """The operation that caused a line after the `block` line (from 0), as on the chain."""
        if line < 0:
            return "the block itself, not an operation in it"
        if self._trace.decided is not None and line >= self._trace.decided:
            return "no operation: stops that fire at the end of the block"
        events = [event for before, event in self._trace.events if before <= line]
        if not events:
            header = self._rules.state.header
            assert header is not None
            return (
                f"no operation: what is due at the block's time, {iso_time(header.timestamp)}, or was left "
                "over by the block before"
            )
        return self._operation(events[-1].id)

    def _cause_of_line(self, line: str) -> str:
        """The operation of this block that a line of the target names."""
        for word in line.split(" ")[1:]:
            if any(event.id == word for _, event in self._trace.events):
                return self._operation(word)
        return "no relevant operation of this block"

    def _unread_operation(self, line: str) -> str | None:
        """The operation that a line of the target names and that gave no event here: no receipt of it."""
        block = self._trace.block
        assert block is not None
        known = {event.id for _, event in self._trace.events}
        try:
            transactions = {transaction.id for transaction in block.transactions}
        except BlockError:
            return None
        for word in line.split(" ")[1:]:
            if word not in known and word.partition(".")[0].partition("-")[0] in transactions:
                return self._operation(word)
        return None

    def _operation(self, event_id: str) -> str:
        block = self._trace.block
        assert block is not None
        transaction_id, *places = event_id.partition(".")[0].split("-")
        try:
            for transaction in block.transactions:
                if transaction.id == transaction_id:
                    index = int(places[0]) if len(transaction.operations) > 1 else 0
                    shown = _shown(transaction.operations[index])
                    return f"transaction {transaction_id}, operation {index}: {shown}"
        except (BlockError, ValueError, IndexError):
            pass
        return f"transaction {transaction_id}"


def _shown(operation: object) -> str:
    """An operation's JSON in one line."""
    text = bytes(operation).decode("utf-8", "replace") if isinstance(operation, Raw) else str(operation)
    return str(_plain(" ".join(text.split()) + "\n"))


def first_difference(ours: str, theirs: str) -> tuple[int, str | None, str | None]:
    """Number (from 1) and both versions of the first line in which two different texts differ.

    A last line without its line end differs from one with it, and is marked.
    """
    for number, (mine, other) in enumerate(zip_longest(_lines(ours), _lines(theirs)), 1):
        if mine != other:
            return number, _plain(mine), _plain(other)
    raise ValueError("the texts are the same")


def _lines(text: str) -> list[str]:
    """Lines with their line ends (LF only)."""
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])


def _plain(line: str | None) -> str | None:
    """Untrusted text as printable ASCII, shortened."""
    if line is None:
        return None
    text = line.removesuffix("\n")
    if not (text.isascii() and text.isprintable()):
        text = ascii(text)[1:-1]
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}…"
    return text if line.endswith("\n") else f"{text} [cut off: no line end]"


def compare_states(rules: StateMachine, theirs: str, where: str, newest: str | None = None) -> None:
    """Raise MismatchFound unless `theirs` is the replay's state text. `where`: its origin, for messages.

    Of a block without journal lines a database that has gone on has no id, and answers with the state of the
    newest block that has lines; `newest` is that block's `block` line.
    """
    ours = state_text(rules.state)
    if ours == theirs:
        return
    header = rules.state.header
    if newest is not None and header is not None and ours == _moved_on(theirs, newest, header):
        return
    line, mine, other = first_difference(ours, theirs)
    cause = f"the journals agree: {where} does not follow from the journal"
    raise MismatchFound(Mismatch(STATE_LINE, rules.next_block() - 1, line, mine, other, cause))


def _moved_on(text: str, newest: str, header: BlockHeader) -> str:
    """The state text of the block `newest` after blocks without journal lines, the last of which is `header`.

    Without a line only grants end, each with the timer that its grantee has set, and no pair stays left over
    by firing. Any other text is returned as it is.
    """
    head, has_block, rest = text.partition(f"\n{newest}\n")
    if not has_block:
        return text
    lines = [line for line in _lines(rest) if not line.startswith("left ")]
    grants = [grant for line in lines if (grant := _GRANT.match(line)) is not None]
    ended = {grant.group(1, 2) for grant in grants if int(grant[3]) <= header.timestamp}
    kept = (line for line in lines if (found := _ENDS.match(line)) is None or found.group(1, 2) not in ended)
    last = block_line(header.number, header.block_id, header.timestamp)
    return f"{head}\n{last}\n{''.join(kept)}"


class BoundedSource:
    """Source that ends at the block that was the last irreversible one when the first block arrived."""

    def __init__(self, nodes: LiveSource) -> None:
        self._nodes = nodes

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        newest = 0
        for block, receipts in self._nodes.blocks(after):
            newest = newest or self._nodes.irreversible
            yield block, receipts
            if block.number >= newest:
                return

    @property
    def catching_up(self) -> bool:
        return self._nodes.catching_up

    @property
    def where(self) -> str:
        return self._nodes.where

    @property
    def waiting(self) -> Waiting | None:
        return self._nodes.waiting
