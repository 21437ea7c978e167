"""The interval tree finds everything that was open, at few nodes."""

from __future__ import annotations

from random import Random

import pytest

from settlement.store.interval_tree import fork_node, path_to


@pytest.mark.parametrize("newest", [1, 2, 3, 7, 8, 9, 64, 100, 1000])
def test_what_was_open_is_found_at_every_block(newest: int) -> None:
    random = Random(newest)
    spans = [(first, random.randint(first, newest)) for first in random.choices(range(1, newest + 1), k=300)]
    kept = [(first, closed, fork_node(first, closed)) for first, closed in spans]
    assert all((fork is None) == (first == closed) for first, closed, fork in kept)
    for block in range(newest + 1):
        left, right = path_to(block)
        found = [
            (first, closed)
            for first, closed, fork in kept
            if (fork in left and closed > block) or (fork in right and first <= block)
        ]
        assert found == [(first, closed) for first, closed, _ in kept if first <= block < closed]


def test_a_fork_is_the_highest_node_within() -> None:
    def level(node: int) -> int:
        return (node & -node).bit_length()

    for first in range(1, 70):
        for closed in range(first + 1, 71):
            fork = fork_node(first, closed)
            assert fork == max(range(first, closed), key=level)


@pytest.mark.parametrize("block", [0, 1, 101_000_123, 2**31, 2**32 - 1])
def test_few_nodes_lead_to_a_block(block: int) -> None:
    left, right = path_to(block)
    assert len(left) + len(right) <= 32
    assert all(node < block for node in left)
    assert all(node >= block for node in right)
