"""Receipts of the sidechain, and rejection of invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.chain.receipts import ReceiptError, Receipts
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded


@pytest.mark.parametrize("name", recorded.ENGINE_FILES)
def test_every_recorded_sidechain_block_can_be_read(name: str) -> None:
    events = 0
    for value in recorded.load(name):
        receipts = Receipts(chain.as_text(value))
        receipts.check()
        assert (receipts.number, receipts.hive_number) == (value["blockNumber"], value["refHiveBlockNumber"])
        for transaction in value["transactions"]:
            events += len(receipts.logs_of(transaction["transactionId"]))
    assert events or name == "hive_engine_blocks_trimmed"


def test_events_of_an_element_come_in_their_order_and_of_others_not_at_all() -> None:
    first, second = chain.moved("a", "b", "1"), chain.moved("b", "c", "2.50")
    receipts = Receipts(chain.receipts(9, {"x-1": [first, second], "x": []}))
    assert receipts.logs_of("x-1") == [first, second]
    assert receipts.logs_of("x") == receipts.logs_of("x-2") == []


def test_logs_without_events_have_none() -> None:
    receipts = Receipts(chain.receipts(9, {"x": '{"errors":["overdrawn balance"]}', "y": "{}"}))
    assert receipts.logs_of("x") == receipts.logs_of("y") == []


def test_a_lone_surrogate_in_a_block_is_no_obstacle() -> None:
    text = chain.receipts(9, {"x": [chain.moved("a", "b", "1")]}).replace(
        b'"sender":"alice"', b'"sender":"\\udfff"'
    )
    assert len(Receipts(text).logs_of("x")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"blockNumber": "9"},
        {"blockNumber": -1},
        {"refHiveBlockNumber": None},
        {"refHiveBlockNumber": 0},
        {"transactions": None},
        {"transactions": [5]},
        {"transactions": [{"logs": "{}"}]},
        {"transactions": [{"transactionId": "x"}]},
        {"transactions": [{"transactionId": "x", "logs": {}}]},
    ],
)
def test_a_block_of_wrong_types_is_refused(change: dict[str, Any]) -> None:
    value = {"blockNumber": 9, "refHiveBlockNumber": 9, "transactions": [], **change}
    with pytest.raises(ReceiptError):
        Receipts(chain.as_text(value)).check()


@pytest.mark.parametrize("text", [b"", b"null", b"{", b"[]"])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ReceiptError):
        Receipts(text)
