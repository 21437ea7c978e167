"""List of the JSON texts of blocks, of which all but the newest are compressed."""

from __future__ import annotations

import zlib
from typing import Final

RECENT: Final = 3_000
"""Blocks that stay as they are: a demo's history, and those that are read again and again."""
_LEVEL: Final = 1  # 0.1 ms a block of the bots; a fifth of the size


class BlockStore:
    """Grows at the end, as a chain does; `pop` undoes that for a fork.

    A devnet with bots makes 30 KB a block, 0.9 GB a day: that is why old blocks are compressed.
    """

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._compressed = 0  # that many, the oldest

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, at: int) -> bytes:
        """The text of the block at this position, from 0. Raises IndexError."""
        if not 0 <= at < len(self._blocks):
            raise IndexError(at)
        return zlib.decompress(self._blocks[at]) if at < self._compressed else self._blocks[at]

    def append(self, text: bytes) -> None:
        self._blocks.append(text)
        if len(self._blocks) - self._compressed > RECENT:
            self._blocks[self._compressed] = zlib.compress(self._blocks[self._compressed], _LEVEL)
            self._compressed += 1

    def pop(self) -> None:
        """Drop the newest block. Raises IndexError."""
        self._blocks.pop()
        self._compressed = min(self._compressed, len(self._blocks))
