"""What we derive against what somebody else says: block by block, line by line, and the state at the end.

Nothing that the other side says of itself is believed: its lines are hashed here, and its hashes are only
compared. Where something differs, the first such line is named, with the operation of the chain behind ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, NamedTuple, Protocol

from msgspec import Raw

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.sources.archive_writer import LiveSource
from indexer.sources.source import Cursor, Waiting
from settlement.core.events import Event, VenueFilter
from settlement.core.journal.entries import BlockResult
from settlement.core.journal.state_text import state_text
from settlement.core.journal.text import chain_hash, iso_time
from settlement.core.state_machine import StateMachine

JOURNAL_LINE: Final = "journal line"
JOURNAL_HASH: Final = "journal hash"
STATE_LINE: Final = "state line"
_SHOWN_CHARACTERS: Final = 4_000


class SideError(Exception):
    """The other side cannot be read on: what is wrong with it, and where."""


class SilentError(SideError):
    """The other side does not answer. Nothing is known of it then, neither good nor bad."""


class TheirBlock(NamedTuple):
    """A block's part of their journal. `journal_hash`: what they say it is after it, if they do."""

    number: int
    lines: str
    journal_hash: str | None = None


class Side(Protocol):
    """Whoever we compare with."""

    @property
    def name(self) -> str:
        """What it is, for people: `the database`."""
        ...

    @property
    def last(self) -> int:
        """The last block that it holds, as known when it was opened."""
        ...

    def blocks(self, first: int, last: int) -> Iterator[TheirBlock]:
        """Its journal from one block to another, in rising order. Raises SideError."""
        ...

    def state(self, block: int) -> str | None:
        """Its state's text at the end of a block; None if it has none. Raises SideError."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that differs. `line` counts from 1 in the block's part of the journal, or in the state.

    `ours` and `theirs` are None where that side has no such line.
    """

    what: str
    block: int
    line: int | None
    ours: str | None
    theirs: str | None
    behind: str


class Differs(Exception):
    """The two sides do not say the same."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"{difference.what} of block {difference.block}")
        self.difference = difference


@dataclass(slots=True)
class _Trace:
    """The block under way: its events, each with how many effects there were before it."""

    block: Block | None = None
    events: list[tuple[int, Event]] = field(default_factory=list)


class Comparison:
    """Holds each derived block against the other side's. It takes the recorder's place in the follow loop.

    The loop must hand over each block by itself, and read events through `read`.
    """

    def __init__(self, rules: StateMachine) -> None:
        self.blocks = 0
        """How many blocks with journal lines were the same."""
        self._rules = rules
        self._theirs: Iterator[TheirBlock] = iter(())
        self._next: TheirBlock | None = None
        self._hash = rules.state.venue_hash
        self._trace = _Trace()

    def expect(self, theirs: Iterator[TheirBlock]) -> None:
        """From now on these are their blocks."""
        self._theirs = theirs
        self._next = next(theirs, None)

    def read(self, block: Block, venue_filter: VenueFilter, receipts: Receipts | None) -> Iterator[Event]:
        """The block's events, noted as they are applied."""
        self._trace = trace = _Trace(block)
        effects = self._rules.state.changes.entries
        for event in decode(block, venue_filter, receipts):
            trace.events.append((len(effects), event))
            yield event

    def record(self, batch: Sequence[BlockResult], _receipts: Sequence[tuple[int, str]] = ()) -> None:
        """Compare the block that was just applied. Raises Differs."""
        header = self._rules.state.header
        assert header is not None
        ours = batch[0].text if batch else ""
        theirs = self._take(header.number)
        if theirs is None and not ours:
            return
        said = theirs.lines if theirs is not None else ""
        if ours != said:
            raise Differs(self._difference(header.number, ours, said))
        self._hash = chain_hash(self._hash, said)
        if theirs is not None and theirs.journal_hash not in (None, self._hash):
            raise Differs(
                Difference(
                    JOURNAL_HASH,
                    header.number,
                    None,
                    self._hash,
                    theirs.journal_hash,
                    "the lines are the same so far: theirs is not the hash of their own journal",
                )
            )
        self.blocks += 1

    def _take(self, number: int) -> TheirBlock | None:
        """Their part of a block, where they have one."""
        theirs = self._next
        if theirs is None or theirs.number > number:
            return None
        if theirs.number < number:
            raise SideError(f"block {theirs.number} stands before the venue's first block")
        self._next = next(self._theirs, None)
        return theirs

    def _difference(self, block: int, ours: str, theirs: str) -> Difference:
        line, mine, other = first_difference(ours, theirs)
        if not ours or not theirs:  # one side knows nothing of the block: what happened in it tells more
            told = _lines(ours or theirs)[:2]
            line, shown = len(told), _plain(told[-1])
            mine, other = (shown, None) if ours else (None, shown)
        behind = self._behind(line - 2) if mine is not None else self._behind_id(other or "")
        return Difference(JOURNAL_LINE, block, line, mine, other, behind)

    def _behind(self, effect: int) -> str:
        """The operation that had an effect of this block (counted from 0), as the chain has it."""
        if effect < 0:
            return "the block itself, not an operation in it"
        events = [event for before, event in self._trace.events if before <= effect]
        if not events:
            header = self._rules.state.header
            assert header is not None
            return f"no operation: the block's time, {iso_time(header.timestamp)}, ends orders"
        return self._operation(events[-1].id)

    def _behind_id(self, line: str) -> str:
        """The operation of this block that a line of theirs names."""
        for word in line.split(" ")[1:]:
            for _, event in self._trace.events:
                if event.id == word:
                    return self._operation(word)
        return "no operation of this block that is ours"

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
    """An operation as the node wrote it, in one line."""
    text = bytes(operation).decode("utf-8", "replace") if isinstance(operation, Raw) else str(operation)
    return str(_plain(" ".join(text.split()) + "\n"))


def first_difference(ours: str, theirs: str) -> tuple[int, str | None, str | None]:
    """Number (from 1) and both versions of the first line in which two different texts differ.

    A last line without its line end is another line than one with it, and says so.
    """
    for number, (mine, other) in enumerate(zip_longest(_lines(ours), _lines(theirs)), 1):
        if mine != other:
            return number, _plain(mine), _plain(other)
    raise ValueError("the texts are the same")


def _lines(text: str) -> list[str]:
    """Lines, each with its line end; LF alone ends one."""
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])


def _plain(line: str | None) -> str | None:
    """A line as it can be shown on any terminal: what a stranger wrote may be anything."""
    if line is None:
        return None
    text = line.removesuffix("\n")
    if not (text.isascii() and text.isprintable()):
        text = ascii(text)[1:-1]
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}…"
    return text if line.endswith("\n") else f"{text} [cut off: no line end]"


def compare_states(rules: StateMachine, theirs: str, where: str) -> None:
    """Raises Differs unless it is our state's text; `where` says of what it was made."""
    ours = state_text(rules.state)
    if ours == theirs:
        return
    line, mine, other = first_difference(ours, theirs)
    behind = f"the journal is the same: {where} does not follow from it"
    raise Differs(Difference(STATE_LINE, rules.next_block() - 1, line, mine, other, behind))


class UpToNow:
    """The blocks of nodes that are irreversible when the first one comes: it waits for no later one."""

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
