"""Interface of the sources of blocks: cursor, block stream, error.

The follow loop is `for block, receipts in source.blocks(after=cursor)` for every source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts
from settlement.net.backoff import Waiting


class SourceError(Exception):
    """The source cannot continue, and a retry would not help. The text says where and why."""


class Cursor(NamedTuple):
    """The last applied block."""

    number: int  # `start_block - 1` before the first
    block_id: str | None = None  # None before the first: there is nothing to link to


class Source(Protocol):
    """Source of irreversible, linked blocks, each with the sidechain's receipts for it."""

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every block above the cursor, in order and without gaps. Raises SourceError."""
        ...

    @property
    def catching_up(self) -> bool:
        """Whether many more blocks are available after the one just yielded, so that a commit can wait."""
        ...

    @property
    def where(self) -> str:
        """Origin of the block just yielded, for error messages: file and line, or node."""
        ...

    @property
    def waiting(self) -> Waiting | None:
        """What the source waits for now; None while it is not waiting."""
        ...


class LiveSource(Source, Protocol):
    """Source that knows the last irreversible block of the chain."""

    @property
    def irreversible(self) -> int:
        """The last irreversible block known; 0 before the first answer."""
        ...


def check_link(block: Block, after: Cursor) -> None:
    """Raise SourceError unless `block` has the next number and links to the cursor."""
    if block.number != after.number + 1:
        raise SourceError(f"block {block.number} follows block {after.number}: a gap")
    if after.block_id is not None and block.previous != after.block_id:
        raise SourceError(
            f"block {block.number} does not link to the block before: its previous is {block.previous}, "
            f"and block {after.number} is {after.block_id}"
        )
