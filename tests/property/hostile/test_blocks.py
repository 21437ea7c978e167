"""Malformed blocks: reading stops with file, line and block number, and nothing of that block is recorded."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from indexer.chain.blocks import BlockError
from indexer.chain.receipts import ReceiptError
from indexer.sources.source import SourceError
from tests.property.hostile.conftest import Indexer
from tests.scenarios.chain import Block, block_texts, custom_json, receipt_texts, transaction_id
from tests.scenarios.scenario import START
from tests.support.blocks import transfer

ERRORS: Final = (SourceError, BlockError, ReceiptError)
_OURS: Final = '{"contractName":"peakedex","contractAction":"cancelAll","contractPayload":5}'
_GOOD: Final = custom_json(_OURS, ["alice"], [], "ssc-mainnet-hive")


def chain() -> list[Block]:
    """Three blocks with one intent each."""
    return [Block(n, START + 3 * n, [(transaction_id(n), [_GOOD])]) for n in (1, 2, 3)]


def stops(indexer: Indexer, blocks: list[bytes], receipts: list[bytes] | None = None) -> str:
    """The error at which reading stops; only the first block is recorded."""
    with pytest.raises(ERRORS) as caught:
        indexer.follow(blocks, receipts or [], batch_blocks=1)
    assert indexer.last_block() == 1
    assert [line.split()[1] for line in indexer.lines()] == [transaction_id(1)]
    return str(caught.value)


MALFORMED: Final[dict[str, Any]] = {
    "a transfer without an amount": ["transfer", {"from": "a", "to": "dex.coin", "memo": ""}],
    "a transfer without a sender": ["transfer", {"to": "dex.coin", "amount": "1.000 HIVE", "memo": ""}],
    "a memo that is no text": [
        "transfer",
        {"from": "a", "to": "dex.coin", "amount": "1.000 HIVE", "memo": {}},
    ],
    "an amount of another coin": [
        "transfer",
        {"from": "a", "to": "dex.coin", "amount": "1.000 BTC", "memo": ""},
    ],
    "an amount of four decimals": [
        "transfer",
        {"from": "a", "to": "dex.coin", "amount": "1.0000 HIVE", "memo": ""},
    ],
    "a negative amount": ["transfer", {"from": "a", "to": "dex.coin", "amount": "-1.000 HIVE", "memo": ""}],
    "an unknown NAI": [
        "transfer",
        {"from": "a", "to": "dex.coin", "memo": "", "amount": {"amount": "1", "precision": 3, "nai": "@@1"}},
    ],
    "an amount that is a number": ["transfer", {"from": "a", "to": "dex.coin", "amount": 1, "memo": ""}],
    "a custom_json without json": [
        "custom_json",
        {"required_auths": [], "required_posting_auths": ["peakedex"], "id": "ssc-mainnet-hive"},
    ],
    "a custom_json without signers": ["custom_json", {"id": "ssc-mainnet-hive", "json": _OURS}],
    "a custom_json with no signer": [
        "custom_json",
        {"required_auths": [], "required_posting_auths": [], "id": "ssc-mainnet-hive", "json": _OURS},
    ],
    "a signer that is a number": ["custom_json", {**_GOOD[1], "required_auths": [5]}],
    "signers that are text": ["custom_json", {**_GOOD[1], "required_auths": "alice"}],
    "json that is an object": ["custom_json", {**_GOOD[1], "json": {"contractName": "peakedex"}}],
    "an id that is null": ["custom_json", {**_GOOD[1], "id": None}],
    "a value that is text": ["custom_json", "peakedex"],
    "a value that is null": {"type": "custom_json_operation", "value": None, "x": "peakedex"},
    "an operation without a value": {"type": "custom_json_operation", "x": "peakedex"},
    "an operation without a type": {"value": _GOOD[1]},
    "a type that is a number": {"type": 5, "value": _GOOD[1]},
    "an operation of one element": ["peakedex"],
    "an operation that is text": "peakedex",
    "an operation of three elements": ["custom_json", _GOOD[1], "peakedex"],
}


@pytest.mark.parametrize("operation", MALFORMED.values(), ids=MALFORMED.keys())
def test_an_operation_that_lacks_something_stops_the_read(operation: Any, indexer: Indexer) -> None:
    lines = block_texts(chain(), "condenser")
    value = json.loads(lines[1])
    value["transactions"][0]["operations"].append(operation)
    lines[1] = json.dumps(value).encode()
    error = stops(indexer, lines)
    assert f"blocks.jsonl, line 2: block 2, transaction {transaction_id(2)}, operation 1" in error


@pytest.mark.parametrize("operation", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_operations_after_a_candidate_stop_the_read(operation: Any, indexer: Indexer) -> None:
    """The rest of a block is validated even after it is known to need receipts."""
    lines = block_texts(chain(), "condenser")
    value = json.loads(lines[1])
    candidate = custom_json('"dex.tokens"', ["alice"], [], "ssc-mainnet-hive")
    value["transactions"][0]["operations"] += [list(candidate), operation]
    lines[1] = json.dumps(value).encode()
    error = stops(indexer, lines)
    assert f"blocks.jsonl, line 2: block 2, transaction {transaction_id(2)}, operation 2" in error


HEADERS: Final[dict[str, dict[str, Any]]] = {
    "no id": {"block_id": None},
    "a short id": {"block_id": "00000002"},
    "an id in capitals": {"block_id": "00000002" + "AB" * 16},
    "an id of another block": {"block_id": "00000003" + "ab" * 16},
    "no previous": {"previous": None},
    "a previous of another chain": {"previous": "00000001" + "ab" * 16},
    "no timestamp": {"timestamp": None},
    "a timestamp with a zone": {"timestamp": "2026-01-01T00:00:00Z"},
    "a timestamp that is no day": {"timestamp": "2026-02-30T00:00:00"},
    "a timestamp in other digits": {"timestamp": "２026-01-01T00:00:00"},
    "a timestamp that is a number": {"timestamp": 5},
    "no transactions": {"transactions": None, "x": "peakedex"},
    "transactions that are text": {"transactions": "peakedex"},
    "a transaction without operations": {"transactions": [{"x": "peakedex"}]},
    "operations that are null": {"transactions": [{"operations": None, "x": "peakedex"}]},
    "too few ids": {"transaction_ids": []},
    "too many ids": {"transaction_ids": [transaction_id(2), transaction_id(3)]},
    "an id with a space": {"transaction_ids": ["a b"]},
    "an empty id": {"transaction_ids": [""]},
    "an id with a lone surrogate": {"transaction_ids": ["\\ud800"]},
    "an id that is a number": {"transaction_ids": [5]},
    "ids that are null": {"transaction_ids": None},
}


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS.keys())
def test_a_block_that_lacks_something_stops_the_read(changes: dict[str, Any], indexer: Indexer) -> None:
    lines = block_texts(chain(), "block_api")
    value = {**json.loads(lines[1]), **changes}
    lines[1] = json.dumps(value, ensure_ascii=False).encode()
    error = stops(indexer, lines)
    assert "blocks.jsonl, line 2" in error
    assert "block 2" in error or "block 3" in error


BROKEN_LINES: Final = {
    "cut off": lambda line: line[:-20],
    "empty": lambda line: b"",
    "no JSON": lambda line: b"peakedex",
    "an array": lambda line: b"[" + line + b"]",
    "two blocks": lambda line: line + line,
    "a comma more": lambda line: line[:-1] + b",}",
    "not UTF-8": lambda line: line.replace(b"initminer", b"\xff\xfe"),
    "not UTF-8 in a text": lambda line: line.replace(b"cancelAll", b"\xc3\x28"),
    "an overlong NUL": lambda line: line.replace(b"cancelAll", b"\xc0\x80"),
    "100,000 brackets": lambda line: line.replace(b'"extensions":[]', b'"extensions":' + b"[" * 100_000, 1),
    "NaN": lambda line: line.replace(b'"ref_block_num":1', b'"ref_block_num":NaN'),
    "a raw NUL": lambda line: line.replace(b"cancelAll", b"cancel\x00"),
}


@pytest.mark.parametrize("change", BROKEN_LINES.values(), ids=BROKEN_LINES.keys())
def test_a_line_that_is_no_block_stops_the_read(change: Any, indexer: Indexer) -> None:
    lines = block_texts(chain(), "block_api")
    lines[1] = change(lines[1])
    error = stops(indexer, lines)
    assert "blocks.jsonl, line 2" in error
    assert "block 2" in error


def test_100_000_nested_brackets_in_ignored_fields_are_skipped(indexer: Indexer) -> None:
    lines = block_texts(chain(), "block_api")
    deep = b'"ref_block_num":' + b"[" * 100_000 + b"]" * 100_000
    lines[1] = lines[1].replace(b'"ref_block_num":1', deep, 1)
    indexer.follow(lines, [])
    assert indexer.last_block() == 3


@pytest.mark.parametrize("before", [b'"witness":', b'"ref_block_num":', b'"required_auths":'])
def test_a_key_that_is_a_lone_surrogate_is_skipped_or_stops_the_read(before: bytes, indexer: Indexer) -> None:
    lines = block_texts(chain(), "block_api")
    lines[1] = lines[1].replace(before, b'"\\ud800":1,' + before, 1)
    try:
        indexer.follow(lines, [], batch_blocks=1)
    except ERRORS:
        assert indexer.last_block() == 1


def test_a_gap_stops_the_read(indexer: Indexer) -> None:
    first, _, third = block_texts(chain(), "block_api")
    assert "blocks.jsonl, line 2" in stops(indexer, [first, third])


def test_a_block_twice_stops_the_read(indexer: Indexer) -> None:
    first, _, third = block_texts(chain(), "block_api")
    assert "blocks.jsonl, line 2" in stops(indexer, [first, first, third])


def _candidates() -> tuple[list[bytes], list[bytes]]:
    """Three blocks, and receipts for the second, which moves tokens."""
    blocks = chain()
    words = '{"contractName":"tokens","contractPayload":{"to":"dex.tokens"}}'
    blocks[1].transactions[0][1][:] = [custom_json(words, ["alice"], [], "ssc-mainnet-hive")]
    data = {"from": "alice", "to": "dex.tokens", "symbol": "TKN", "quantity": "1"}
    event = {"contract": "tokens", "event": "transfer", "data": data}
    blocks[1].logs = {transaction_id(2): json.dumps({"events": [event]})}
    return block_texts(blocks, "block_api"), receipt_texts(blocks)


def test_good_receipts_are_read(indexer: Indexer) -> None:
    indexer.follow(*_candidates())
    assert [line.split()[0] for line in indexer.lines()] == ["reject", "deposit", "reject"]


RECEIPTS: Final = {
    "of an orphan": lambda text: _changed(text, refHiveBlockId="00000002" + "ab" * 16),
    "without the Hive block's id": lambda text: _changed(text, refHiveBlockId=None),
    "cut off": lambda text: text[:-20],
    "no JSON": lambda text: b"dex.tokens",
    "no transactions": lambda text: _changed(text, transactions=None),
    "transactions that are text": lambda text: _changed(text, transactions="x"),
    "a transaction without logs": lambda text: _changed(
        text, transactions=[{"transactionId": transaction_id(2)}]
    ),
    "a transaction without an id": lambda text: _changed(text, transactions=[{"logs": "{}"}]),
    "logs that are an object": lambda text: _changed_logs(text, {}),
    "logs that are no JSON": lambda text: _changed_logs(text, "{"),
    "logs that are an array": lambda text: _changed_logs(text, "[]"),
    "events that are an object": lambda text: _changed_logs(text, '{"events":{}}'),
    "an event that is a number": lambda text: _changed_logs(text, '{"events":[5]}'),
    "events that are null": lambda text: _changed_logs(text, '{"events":null}'),
    "4,000 brackets as logs": lambda text: _changed_logs(text, "[" * 4000),
    "NaN in logs": lambda text: _changed_logs(text, '{"events":[],"errors":[NaN]}'),
}


def _changed(text: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(text), **changes}).encode()


def _changed_logs(text: bytes, logs: Any) -> bytes:
    return _changed(text, transactions=[{"transactionId": transaction_id(2), "logs": logs}])


@pytest.mark.parametrize("change", RECEIPTS.values(), ids=RECEIPTS.keys())
def test_malformed_receipts_stop_the_read(change: Any, indexer: Indexer) -> None:
    blocks, (text,) = _candidates()
    error = stops_at_receipts(indexer, blocks, change(text))
    assert "block 2" in error or "receipts.jsonl, line 1" in error


def stops_at_receipts(indexer: Indexer, blocks: list[bytes], text: bytes) -> str:
    """Like `stops`, but receipts are read ahead, so even the first block may not be recorded."""
    with pytest.raises(ERRORS) as caught:
        indexer.follow(blocks, [text], batch_blocks=1)
    assert indexer.last_block() <= 1
    assert len(indexer.lines()) == indexer.last_block()
    return str(caught.value)


@pytest.mark.parametrize("numbers", [(2, 5), (2, 2)])
def test_receipts_out_of_order_stop_the_read(numbers: tuple[int, int], indexer: Indexer) -> None:
    blocks, (text,) = _candidates()
    first, second = (_changed(text, refHiveBlockNumber=2, blockNumber=number) for number in numbers)
    assert "receipts.jsonl, line 2" in stops_at_receipts_anywhere(indexer, blocks, [first, second])


def stops_at_receipts_anywhere(indexer: Indexer, blocks: list[bytes], receipts: list[bytes]) -> str:
    with pytest.raises(ERRORS) as caught:
        indexer.follow(blocks, receipts, batch_blocks=1)
    indexer.loaded()
    return str(caught.value)


def test_receipts_in_malformed_json_of_a_block_without_candidates_are_found_too(indexer: Indexer) -> None:
    lines = block_texts(chain(), "block_api")
    assert "receipts.jsonl, line 1" in stops_at_receipts_anywhere(indexer, lines, [b'{"blockNumber":1'])


def test_a_native_transfer_to_an_escrow_account_with_an_amount_of_any_length(indexer: Indexer) -> None:
    """An amount above the 63-bit total becomes a refund."""
    blocks = chain()
    blocks[1].transactions[0][1][:] = [transfer("alice", "dex.coin", "9" * 30 + ".000 HIVE")]
    lines = indexer.record(blocks, "condenser")
    assert lines[1] == f"refund {transaction_id(2)} alice HIVE {'9' * 30}.000 dex.coin"
