"""Which blocks and operations can be of ours, decided on raw bytes and without parsing (house, rule 3).

Every operation that `decode` yields something for has one of these in its JSON text, as the node wrote it:
the contract's name, an escrow account's name, the key `side` of a flat intent — or an escape that spells one
of their characters. Names are ASCII, so that such an escape begins with `\\u00`; an escaped backslash that
begins an inner escape is no other. A test builds nasty blocks and compares with decoding everything.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from stringzilla import find  # with vector instructions: 4 to 10 times as fast as bytes.find

from indexer.chain.blocks import Block, BlockError, Found
from settlement.core.events import VenueFilter

_ESCAPE: Final = b"\\u00"
_PRINTABLE_ESCAPE: Final = re.compile(rb"\\u00[2-7]")
_TRANSACTIONS: Final = re.compile(rb'"transactions"\s*:\s*\[')
_FLAT_KEY: Final = b'\\"side\\"'
_LISTING: Final = "listToken"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")

Needles = tuple[bytes, ...]


class Interest:
    """The search for what `watch` looks for. It follows `venue_filter.escrows` as that grows; it never shrinks."""

    __slots__ = ("_escrow_count", "_needles", "_watch")

    def __init__(self, venue_filter: VenueFilter) -> None:
        self._venue_filter = watch
        self._escrow_count = -1
        self._needles: Needles | None = None

    def needles(self) -> Needles | None:
        """What to search for; None if a name is such that only parsing can tell."""
        venue_filter = self._venue_filter
        if self._escrow_count != len(venue_filter.escrows):
            self._escrow_count = len(venue_filter.escrows)
            self._needles = _needles_for(venue_filter.contract, venue_filter.accept_flat_intents, frozenset(venue_filter.escrows))
        return self._needles

    def in_block(self, block: Block) -> bool:
        """Whether the block may hold something of ours. A block found without is not searched twice."""
        found = block.found
        if found is not None and found.is_for(self._venue_filter):
            return bool(found.known)
        if self.in_text(block.raw):
            return True
        block.found = Found(self._venue_filter, len(self._venue_filter.escrows), [])
        return False

    def in_text(self, text: bytes) -> bool:
        """Whether an operation, by its raw JSON text, may be of ours."""
        needles = self.needles()
        return needles is None or holds(text, needles)


def may_move_tokens(block: Block, venue_filter: VenueFilter) -> bool:
    """Whether the sidechain may have moved tokens of ours: the text names an escrow account or lists one."""
    needles = _plain_needles(frozenset((*venue_filter.escrows, _LISTING)))
    return needles is None or holds(block.raw, needles)


def read_block(raw: bytes, interest: Interest | None = None, done: int = 0) -> Block:
    """Read a block from its JSON text; its transactions only if they may be of interest (None: they are).

    Of a block up to number `done`, which was applied before, nothing but the header is of interest.

    An uninteresting block's text is walked all the same, so that malformed JSON never passes, and it must
    have its list of transactions: a recording of headers alone is none. Raises BlockError.
    """
    block = Block(raw)
    if block.number <= done:
        return block
    if interest is None or interest.in_block(block):
        block.transactions  # noqa: B018 - read now, so that whoever has the line at hand gets the error
    elif _TRANSACTIONS.search(raw) is None:
        raise BlockError(f"block {block.number}: it has no list of transactions")
    return block


def holds(text: bytes, needles: Needles) -> bool:
    """Whether the text holds one of these, or an escape that may spell one."""
    for needle in needles:
        if find(text, needle) >= 0:
            return True
    return find(text, _ESCAPE) >= 0 and _PRINTABLE_ESCAPE.search(text) is not None


@lru_cache(maxsize=16)
def _needles_for(contract: str, accept_flat: bool, escrows: frozenset[str]) -> Needles | None:
    needles = _plain_needles(escrows | {contract})
    if needles is None or not accept_flat:
        return needles
    return (*needles, _FLAT_KEY)


@lru_cache(maxsize=16)
def _plain_needles(names: frozenset[str]) -> Needles | None:
    if not all(_PLAIN_NAME.fullmatch(name) for name in names):
        return None
    names_by_length = sorted(names, key=lambda name: (len(name), name))
    # A name that contains another is found with it: peakedex.hive with peakedex.
    shortest = [
        name
        for index, name in enumerate(names_by_length)
        if not any(other in name for other in names_by_length[:index])
    ]
    return tuple(name.encode("ascii") for name in shortest)
