"""Witness signatures: the key recovered from a block's header and signature."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.witness import check_signature, parse_key, recover
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded

SIGNED = [name for name in recorded.BLOCK_FILES if "condenser" not in name]


@pytest.mark.parametrize("name", SIGNED)
def test_every_recorded_block_was_signed_by_the_key_that_it_names(name: str) -> None:
    for value in recorded.load(name)[:60]:
        block = Block(chain.as_text(value))
        check_signature(block)
        if value.get("signing_key"):
            assert recover(block) == parse_key(value["signing_key"])


def changed(**fields: Any) -> Block:
    return Block(chain.as_text({**json.loads(chain.block(7)), **fields}))


def test_a_block_of_these_tests_is_signed_too() -> None:
    check_signature(changed())
    check_signature(changed(signing_key=None))


@pytest.mark.parametrize(
    "fields",
    [
        {"signing_key": recorded.load("hive_block_range_1-1000")[0]["signing_key"]},
        {"witness": "mallory"},
        {"timestamp": "2016-03-24T16:05:36"},
        {"witness_signature": "1f" + "00" * 64},
        {"witness_signature": "1f" + "ff" * 64},
        {"witness_signature": "1b" + "11" * 64},
        {"witness_signature": "23" + "11" * 64},
        {"witness_signature": "11"},
        {"signing_key": "STM"},
        {"signing_key": "STM8GC13uCZbP44HzMLV6zPZGwVQ8Nt4Kji8PapsPiNq1BK153XTY"},
        {"signing_key": "STM" + "z" * 60},
        {"signing_key": "STM0OIl"},
    ],
)
def test_what_does_not_fit_is_found_out(fields: dict[str, Any]) -> None:
    with pytest.raises(BlockError):
        check_signature(changed(**fields))


def test_a_lone_surrogate_in_a_block_is_no_fault_of_its_signature() -> None:
    text = chain.block(7, [chain.transfer("alice", "bob", "1.000 HIVE", "x")])
    check_signature(Block(text.replace(b'"memo":"x"', b'"memo":"\\ud800"')))
