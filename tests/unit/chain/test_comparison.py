"""Comparison of two nodes' blocks and receipts by content, whatever their JSON format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.chain.blocks import BlockError
from indexer.chain.comparison import block_difference, receipts_content
from indexer.chain.receipts import Receipts
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded
from tests.support.blocks import custom_json, transfer


def backwards(value: Any) -> Any:
    """The same JSON with the keys of each object in another order."""
    if isinstance(value, dict):
        return {key: backwards(item) for key, item in reversed(value.items())}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", recorded.BLOCK_FILES)
def test_the_order_of_keys_and_the_shape_are_nothing(name: str) -> None:
    for value in recorded.load(name)[:40]:
        text = chain.as_text(value)
        assert block_difference(text, json.dumps(backwards(value), indent=1).encode()) is None
        if "virtual" not in name:
            assert block_difference(text, chain.as_text(recorded.in_other_shape(value))) is None


def test_fields_that_a_node_adds_are_nothing() -> None:
    value = json.loads(chain.block(5, [transfer("alice", "bob", "1.000 HIVE")]))
    more = {**value, "transactions": [{**each, "block_num": 5} for each in value["transactions"]], "seen": 1}
    assert block_difference(chain.as_text(value), chain.as_text(more)) is None


PAY = [transfer("alice", "bob", "1.000 HIVE"), custom_json({"a": 1})]


@pytest.mark.parametrize(
    "other",
    [
        [[transfer("alice", "bob", "1.001 HIVE"), PAY[1]]],
        [[transfer("alice", "bob", "1.000 HBD"), PAY[1]]],
        [[transfer("alice", "eve", "1.000 HIVE"), PAY[1]]],
        [[PAY[0], custom_json({"a": 2})]],
        [[PAY[0], custom_json({"a": 1}, active=False)]],
        [PAY[::-1]],
        [PAY[:1]],
        [PAY, PAY],
        [],
    ],
)
@pytest.mark.parametrize("shape", ["block_api", "condenser"])
def test_whatever_is_done_to_an_operation_shows(other: Any, shape: str) -> None:
    assert block_difference(chain.block(5, PAY), chain.block(5, *other, shape=shape)) is not None


def test_an_id_of_its_own_shows_and_names_the_transaction() -> None:
    value = json.loads(chain.block(5, PAY))
    (mine,) = value["transaction_ids"]
    difference = block_difference(
        chain.as_text(value), chain.as_text({**value, "transaction_ids": [mine[::-1]]})
    )
    assert difference is not None
    assert mine in difference


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"null", b"[]", b"{}", b'{"transaction_ids":[],"transactions":5}', b"[" * 5000, b"\xff"),
        *(b'{"transaction_ids":["a"],"transactions":[]}', b'{"transaction_ids":["a"],"transactions":[5]}'),
    ],
)
def test_what_is_no_block_is_an_error(text: bytes) -> None:
    with pytest.raises(BlockError):
        block_difference(chain.block(5), text)


def receipts(logs: dict[str, Any]) -> str | None:
    return receipts_content(Receipts(chain.receipts(500, logs)))


def test_events_count_and_errors_do_not() -> None:
    event = chain.moved("alice", "peakedex", "1")
    base = receipts({"a": [event]})
    assert base == receipts({"a": json.dumps({"errors": ["no"], "events": [backwards(event)]})})
    assert base != receipts({"a": [chain.moved("alice", "peakedex", "1.0")]})
    assert base != receipts({"a": [event, event]})
    assert base != receipts({"b": [event]})
    assert base != receipts({"a": [event], "b": []})
    assert receipts_content(None) is None


@pytest.mark.parametrize("log", ["{", "[]", '{"events":5}', "[" * 5000, '{"events":[' + '{"a":' * 3000])
def test_logs_that_cannot_be_read_count_by_the_letter(log: str) -> None:
    assert receipts({"a": log}) == receipts({"a": log})
    assert receipts({"a": log}) != receipts({"a": log + " "})


def test_deep_events_are_compared_all_the_same() -> None:
    deep = '{"events":[{"data":' + "[" * 5000 + "]" * 5000 + "}]}"
    assert receipts({"a": deep}) == receipts({"a": deep})
    assert receipts({"a": deep}) != receipts({"a": deep.replace("[]", "[5]")})
