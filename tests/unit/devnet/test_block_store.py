"""The blocks of a chain in memory."""

from __future__ import annotations

import copy

import pytest

from indexer.devnet.block_store import RECENT, BlockStore


def text(number: int) -> bytes:
    return b"block %d " % number + b"0123456789abcdef" * 20


def test_old_blocks_are_read_as_they_were_written() -> None:
    store = BlockStore()
    for number in range(RECENT + 50):
        store.append(text(number))
    assert len(store) == RECENT + 50
    assert all(store[at] == text(at) for at in (0, 1, 49, 50, 51, RECENT, RECENT + 49))
    for at in (-1, RECENT + 50):
        with pytest.raises(IndexError):
            store[at]


def test_a_fork_drops_blocks_also_compressed_ones() -> None:
    store = BlockStore()
    for number in range(RECENT + 2):
        store.append(text(number))
    copied = copy.deepcopy(store)
    for _ in range(RECENT + 1):
        store.pop()
    store.append(text(7))
    assert [store[at] for at in range(len(store))] == [text(0), text(7)]
    assert copied[RECENT + 1] == text(RECENT + 1)
    copied.pop()
    assert len(copied) == RECENT + 1
