"""What was open at the end of a past block, found with plain indexes: a relational interval tree.

An order that opened in block `first` and closed in a later one was open at the end of every block of
`first … last`, where `last` is the one before it closed. Block numbers are taken as the nodes of an endless
binary search tree: the odd numbers are leaves, 2 stands above 1 and 3, 4 above 2 and 6, and so on. An
interval is kept at its *fork*, the highest node within it. All that was open at the end of block N is then
kept at a node between the root and N: at most 32 of them, whatever the history. At nodes left of N it is what
closed after N, at nodes right of N what opened up to N; both are ranges of an index.

H.-P. Kriegel, M. Pötke, T. Seidl: Managing Intervals Efficiently in Object-Relational Databases, VLDB 2000.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_LEVELS: Final = 32
"""Numbers of Hive blocks have 32 bits."""


class Nodes(NamedTuple):
    """The nodes from the root down to a point: `left` of it, and `right` of it or the point itself."""

    left: list[int]
    right: list[int]


def fork_of(block: int, closed_block: int) -> int | None:
    """The fork of what opened in `block` (at least 1) and closed in `closed_block`.

    None where both are one: it was never open at the end of a block.
    """
    if closed_block == block:
        return None
    last = closed_block - 1
    level = ((block - 1) ^ last).bit_length() - 1
    return last >> level << level


def nodes_of(point: int) -> Nodes:
    """Where whatever was open at the end of block `point` is kept."""
    nodes = Nodes([], [])
    lowest = (point & -point).bit_length() - 1  # the point's own level: nothing below it contains the point
    for level in range(max(lowest, 0), _LEVELS):
        node = point >> level + 1 << level + 1 | 1 << level
        (nodes.left if node < point else nodes.right).append(node)
    return nodes
