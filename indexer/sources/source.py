"""What every source of blocks has in common: where to go on, what it yields, how it fails.

The follow loop is `for block, receipts in source.blocks(after=cursor)`, whatever the source (house).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts


class SourceError(Exception):
    """The source cannot give the next block, and trying again would not help. The text says where and why."""


class Cursor(NamedTuple):
    """The last block that was applied: its number and id.

    Before the first one it is `start_block - 1`, and the id is None: then nothing is known to link to.
    """

    number: int
    block_id: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a source waits for, in words, and since when (seconds since 1970, UTC; for people, not rules)."""

    reason: str
    since: float


class Source(Protocol):
    """Anything that yields irreversible, linked blocks, each with the sidechain's receipts for it."""

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every block above the cursor, in order, none left out.

        Apply a block before asking for the next one: whether that one needs receipts is decided by the
        escrow accounts known by then. Raises SourceError.
        """
        ...

    @property
    def catching_up(self) -> bool:
        """Whether more blocks are at hand behind the one just yielded, so that a commit can wait for them."""
        ...

    @property
    def where(self) -> str:
        """Where the block just yielded came from, for errors that name it: file and line, or node."""
        ...

    @property
    def waiting(self) -> Waiting | None:
        """What the source waits for at this moment; None while it is not waiting."""
        ...


def check_link(block: Block, after: Cursor) -> None:
    """Raise SourceError unless `block` is the one that follows the cursor, and links to it."""
    if block.number != after.number + 1:
        raise SourceError(f"block {block.number} follows block {after.number}: a gap")
    if after.block_id is not None and block.previous != after.block_id:
        raise SourceError(
            f"block {block.number} does not link to the block before: its previous is {block.previous}, "
            f"and block {after.number} is {after.block_id}"
        )
