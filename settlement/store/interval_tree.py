"""Relational interval tree: finds what was open at the end of a past block with plain indexes.

An order that opened in block `first` and closed in a later block was open at the end of every block of
`first … last`, where `last` is the block before it closed. Block numbers are nodes of an infinite binary
search tree: odd numbers are leaves, 2 is the parent of 1 and 3, 4 of 2 and 6, and so on. An interval is
stored at its *fork node*, the highest node within it. Everything that was open at the end of block N is
stored at a node on the path from the root to N: at most 32 nodes, whatever the history. Of the intervals at
nodes left of N those that closed after N were open, at the other nodes those that opened up to N; both are
index ranges.

H.-P. Kriegel, M. Pötke, T. Seidl: Managing Intervals Efficiently in Object-Relational Databases, VLDB 2000.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_LEVELS: Final = 32
"""Hive block numbers have 32 bits."""


class PathNodes(NamedTuple):
    """The nodes on the path from the root to a block number."""

    left: list[int]  # below the number
    right: list[int]  # the number itself, and above it


def fork_node(block: int, closed_block: int) -> int | None:
    """The fork node of what opened in `block` (at least 1) and closed in `closed_block`.

    None if both are the same: it was not open at the end of any block.
    """
    if closed_block == block:
        return None
    last = closed_block - 1
    level = ((block - 1) ^ last).bit_length() - 1
    return last >> level << level


def path_to(block: int) -> PathNodes:
    """The nodes where everything that was open at the end of `block` is stored."""
    nodes = PathNodes([], [])
    own_level = (block & -block).bit_length() - 1  # no node of a lower level contains the block
    for level in range(max(own_level, 0), _LEVELS):
        node = block >> level + 1 << level + 1 | 1 << level
        (nodes.left if node < block else nodes.right).append(node)
    return nodes
