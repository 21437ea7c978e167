"""Whole blocks that a real node recorded, with each kind of operation, in the shapes of both of its APIs."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from indexer.chain.blocks import Block
from indexer.chain.decode import decode, has_candidate
from indexer.chain.escrow_operations import escrow_operations
from indexer.chain.integrity.block_id import check_id
from indexer.chain.integrity.witness import check_signature
from settlement.core.events import VenueFilter
from tests.support import real_nodes

ESCROWS: Final = ("alice-test", "bobby-test", "multi-test", "team-test", "venue-test")
WATCH: Final = VenueFilter("peakedex", "ssc-mainnet-hive", True, frozenset(ESCROWS))
BOTH: Final = [
    line["case"].removesuffix("/condenser")
    for line in real_nodes.lines("hive_blocks")
    if line["request"]["method"] == "condenser_api.get_block"
]
ALONE: Final = [
    line["case"]
    for line in real_nodes.lines("hive_blocks")
    if line["case"].startswith("virtual/") and line["case"].endswith("/block")
]
UNSEEN: Final = {"account_witness_vote", "comment", "comment_options", "custom", "vote"}
"""Operations that move nothing of an account that they name."""


def block_of(held: dict[str, Any]) -> Block:
    return Block(json.dumps(held, ensure_ascii=False).encode())


@pytest.mark.parametrize("case", BOTH)
def test_both_shapes_of_a_block_say_the_same(case: str) -> None:
    one = block_of(real_nodes.result("hive_blocks", f"{case}/block_api")["block"])
    other = block_of(real_nodes.result("hive_blocks", f"{case}/condenser"))
    assert one.header == other.header
    for block in (one, other):
        assert check_id(block)
        check_signature(block)
    assert list(decode(one, WATCH)) == list(decode(other, WATCH))
    assert list(decode(one, WATCH)) == list(decode(one, WATCH, prefilter=False))
    assert has_candidate(one, WATCH) == has_candidate(other, WATCH)
    assert escrow_operations(one, WATCH) == escrow_operations(other, WATCH)


def test_each_kind_of_operation_that_moves_funds_is_seen() -> None:
    """By a journal line or by the escrow watch; what is not seen moves nothing of an account that it names."""
    unseen = set()
    for case in BOTH:
        block = block_of(real_nodes.result("hive_blocks", f"{case}/block_api")["block"])
        seen = {row.type for row in escrow_operations(block, WATCH)} | {"custom_json", "transfer"}
        for transaction in json.loads(block.raw)["transactions"]:
            for operation in transaction["operations"]:
                name = operation["type"].removesuffix("_operation")
                if name not in seen and any(f'"{account}"' in json.dumps(operation) for account in ESCROWS):
                    unseen.add(name)
    assert unseen == UNSEEN


@pytest.mark.parametrize("case", ALONE)
def test_what_arrives_by_virtual_operations_is_in_no_block(case: str) -> None:
    """Recurrent transfers, savings, conversions, fills: no deposit, but a surplus of the real balance."""
    block = block_of(real_nodes.result("hive_blocks", case)["block"])
    assert check_id(block)
    assert list(decode(block, WATCH)) == []
    assert escrow_operations(block, WATCH) == []
