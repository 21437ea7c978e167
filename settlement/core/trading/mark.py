"""The mark of a pair: the average price of its last ten blocks with trades (protocol, section 7)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

MARK_BLOCKS: Final = 10


@dataclass(slots=True)
class MarkBlock:
    """The trades between different accounts of one block."""

    block: int
    base: int  # base units
    quote: int  # quote units at the resting orders' prices


@dataclass(slots=True, eq=False)
class Mark:
    """The ratio `quote / base` over the window; compared by cross multiplication, never divided."""

    blocks: deque[MarkBlock] = field(default_factory=deque)  # oldest first, at most MARK_BLOCKS
    base: int = 0  # sum over the window, base units
    quote: int = 0  # sum over the window, quote units

    def add(self, block: int, base: int, quote: int) -> None:
        """Count a trade of a block; an eleventh block drops the oldest."""
        self.base += base
        self.quote += quote
        if self.blocks and self.blocks[-1].block == block:
            self.blocks[-1].base += base
            self.blocks[-1].quote += quote
            return
        self.blocks.append(MarkBlock(block, base, quote))
        if len(self.blocks) > MARK_BLOCKS:
            oldest = self.blocks.popleft()
            self.base -= oldest.base
            self.quote -= oldest.quote
