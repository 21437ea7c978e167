"""Hostile text: rejected or ignored as the protocol says, and the indexer continues."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from settlement.core.journal.state_text import state_text
from tests.property.hostile.conftest import Indexer
from tests.scenarios.chain import SHAPES, Block, block_texts, custom_json, transaction_id
from tests.scenarios.scenario import START
from tests.support.blocks import Operation, transfer

SIDECHAIN: Final = "ssc-mainnet-hive"
_AFTER: Final = '{"contractName":"peakedex","contractAction":"cancel","contractPayload":{"id":"after"}}'


def ours(payload: str, action: str = "cancelAll") -> str:
    return f'{{"contractName":"peakedex","contractAction":"{action}","contractPayload":{payload}}}'


def custom(text: str, signer: str = "alice") -> Operation:
    return custom_json(text, [signer], [], SIDECHAIN)


def lines_of(indexer: Indexer, shape: str, *operations: Operation) -> list[str]:
    """Journal of a block with these operations, one per transaction, and a valid intent at the end."""
    block = Block(1, START)
    for count, operation in enumerate((*operations, custom(_AFTER)), 1):
        block.transactions.append((transaction_id(count), [operation]))
    *lines, last = indexer.record([block], shape)
    assert last == f"reject {transaction_id(len(operations) + 1)} alice cancel - E_NOT_FOUND"
    return lines


IGNORED: Final = {
    "nothing": "",
    "4,000 brackets": "[" * 4000,
    "4,000 brackets, closed, of nothing": "[" * 4000 + "]" * 4000,
    "4,000 braces": '{"a":' * 1600,
    "a contract inside 3,000 brackets": "[" * 3000 + ours("{}") + "]" * 3000,
    "cut off in a string": ours("{}")[:40],
    "cut off before the last brace": ours("{}")[:-1],
    "a NUL after it": ours("{}") + "\x00",
    "a NUL in it": ours("{}").replace(":", ":\x00", 1),
    "a raw line end in a string": ours('{"id":"a\nb"}'),
    "a byte order mark": "\ufeff" + ours("{}"),
    "full-width digits": ours('{"id":１}'),
    "Arabic digits": ours('{"id":٣}'),
    "a no-break space": ours("{}").replace(":", ":\u00a0", 1),
    "NaN": ours('{"id":NaN}'),
    "Infinity": ours('{"id":Infinity}'),
    "minus infinity": ours('{"id":-Infinity}'),
    "a hexadecimal number": ours('{"id":0x10}'),
    "a leading zero": ours('{"id":012}'),
    "a bare point": ours('{"id":.5}'),
    "True": ours('{"id":True}'),
    "a comment": ours("{} /* no */"),
    "single quotes": ours("{}").replace('"', "'"),
    "two texts": ours("{}") + ours("{}"),
    "a broken escape": ours('{"id":"\\u12"}'),
    "an unknown escape": ours('{"id":"\\q"}'),
    "8 KB of commas": "[" + "," * 8000 + "]",
    "8 KB of quotes": '"' * 8000,
    "8 KB of backslashes": ours('{"id":"' + "\\" * 8001 + '"}'),
    "a key that is no string": '{contractName:"peakedex"}',
    "an escrow account's name, malformed": '{"to":"dex.tokens"',
    "lone surrogates around it": "\ud800" + ours("{}") + "\udfff",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", IGNORED.values(), ids=IGNORED.keys())
def test_malformed_json_is_ignored(text: str, shape: str, indexer: Indexer) -> None:
    assert lines_of(indexer, shape, custom(text)) == []


DEEP: Final = "[" * 3500 + "]" * 3500
REJECTED: Final = {
    "3,500 brackets as the payload": (ours(DEEP), "cancelAll"),
    "3,500 brackets as the action": (ours("{}").replace('"cancelAll"', DEEP), "-"),
    "1,200 braces as a field": (ours('{"symbol":' + '{"a":' * 1200 + "1" + "}" * 1201), "cancelAll"),
    "a number of 5,000 digits as a quantity": (
        ours('{"symbol":"TKN","price":1,"quantity":' + "9" * 5000 + "}", "buy"),
        "buy",
    ),
    "5,000 decimals": (ours('{"symbol":"TKN","price":1,"quantity":0.' + "0" * 5000 + "1}", "buy"), "buy"),
    "an exponent of nine digits": (ours('{"symbol":"TKN","price":1,"quantity":1e999999999}', "buy"), "buy"),
    "a tiny exponent": (ours('{"symbol":"TKN","price":1e-999999999,"quantity":1}', "buy"), "buy"),
    "a precision of 5,000 digits": (
        ours(
            '{"symbol":"NEW","escrow":"dex.hive","minWithdrawal":"1","precision":' + "1" * 5000 + "}",
            "listToken",
        ),
        "listToken",
    ),
    "a trigger of 5,000 digits": (
        ours(
            '{"symbol":"TKN","price":1,"quantity":1,"triggerWhen":"above","triggerPrice":' + "1" * 5000 + "}",
            "buy",
        ),
        "buy",
    ),
    "a deadline of 5,000 digits": (ours('{"notAfter":' + "1" * 5000 + "}"), "cancelAll"),
    "a timer with an exponent": (ours('{"seconds":6e1}', "cancelAllAfter"), "cancelAllAfter"),
    "a surrogate as an account to act for": (ours('{"for":"\\ud800"}'), "cancelAll"),
    "3,000 brackets as pairs of a grant": (
        ours(
            '{"to":"bob","bandBps":0,"until":1767225700,"perDay":{"TKN":"1"},"pairs":'
            + DEEP[:3000]
            + DEEP[-3000:]
            + "}",
            "grant",
        ),
        "grant",
    ),
    "a surrogate as a token of a grant": (
        ours(
            '{"to":"bob","bandBps":0,"until":1767225700,"pairs":["TKN/HBD"],"perDay":{"\\ud800":"1"}}',
            "grant",
        ),
        "grant",
    ),
    "a protocol of 5,000 digits": (
        ours('{"text":"' + "0" * 64 + '","block":0,"protocol":' + "3" * 5000 + "}", "upgrade"),
        "upgrade",
    ),
    "an action of 8,000 letters": (ours("{}", "a" * 8000), "-"),
    "an action with a NUL": (ours("{}", "buy\\u0000"), "-"),
    "an action with a surrogate": (ours("{}", "buy\\ud800"), "-"),
    "an action in Cyrillic": (ours("{}", "b\u0443\u0443"), "-"),
    "a NUL as a symbol": (ours('{"symbol":"\\u0000"}'), "cancelAll"),
    "a surrogate as a symbol": (ours('{"symbol":"TK\\ud800N"}'), "cancelAll"),
    "a surrogate as a quantity": (ours('{"symbol":"TKN","price":1,"quantity":"\\udc00"}', "buy"), "buy"),
    "a surrogate as a ref": (ours('{"ref":"\\udfff"}'), "cancelAll"),
    "a surrogate as a memo": (ours('{"symbol":"TKN","quantity":1,"memo":"\\ud83d"}', "withdraw"), "withdraw"),
    "a surrogate as a recipient": (
        ours('{"symbol":"TKN","quantity":1,"to":"bo\\ud83d"}', "withdraw"),
        "withdraw",
    ),
    "a duplicate key, the last one bad": (ours('{"symbol":"TKN","symbol":5}'), "cancelAll"),
    "a raw surrogate as a symbol": (ours('{"symbol":"\ud800"}'), "cancelAll"),
    "a flat intent of odd values": (
        '{"base":[],"quote":{},"side":' + DEEP + ',"price":1e9,"amount":NULL}',
        "-",
    ),
}
REJECTED["a flat intent of odd values"] = (
    REJECTED["a flat intent of odd values"][0].replace("NULL", "null"),
    "-",
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("text", "action"), REJECTED.values(), ids=REJECTED.keys())
def test_absurd_actions_are_rejected(text: str, action: str, shape: str, indexer: Indexer) -> None:
    assert lines_of(indexer, shape, custom(text)) == [f"reject {transaction_id(1)} alice {action} - E_INPUT"]


ACCEPTED: Final = {
    "3,500 brackets under an unknown key": ours('{"x":' + DEEP + "}"),
    "3,500 brackets beside the payload": ours("{}")[:-1] + ',"x":' + DEEP + "}",
    "5,000 digits under an unknown key": ours('{"x":' + "9" * 5000 + "}"),
    "1e999999999 under an unknown key": ours('{"x":[1e999999999,-1E-999999999]}'),
    "surrogates and NULs as keys": ours('{"\\ud800":1,"\\u0000":2,"":3}'),
    "1,000 unknown keys": ours("{" + ",".join(f'"k{n}":{n}' for n in range(600)) + "}"),
    "600 times the same key": ours("{" + '"symbol":5,' * 600 + '"symbol":"TKN"}'),
    "white space of JSON all around": " \t\r\n" + ours(" { } ") + "\n ",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_unusual_but_valid_json_is_accepted(text: str, shape: str, indexer: Indexer) -> None:
    """cancelAll of nothing: accepted."""
    assert lines_of(indexer, shape, custom(text)) == [f"accept {transaction_id(1)} alice active cancelAll -"]
    assert len(text) <= 8192


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_array_is_read_element_by_element(shape: str, indexer: Indexer) -> None:
    elements = ["5", "{}", "[]", '"x"', "null", '{"contractName":"peakedex"}'] * 200
    lines = lines_of(indexer, shape, custom("[" + ",".join(elements) + "]"))
    assert lines == [f"reject {transaction_id(1)}-{index} alice - - E_INPUT" for index in range(5, 1200, 6)]


ODD_NAMES: Final = (
    "",
    "-",
    "\x00",
    "\ud800",
    "a\udfffb",
    "\ud83d\ude00",
    "x" * 5000,
    "%00",
    "a b\n",
    "１",
    "'",
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_text_in_receipts_and_memos_is_kept_encoded(name: str, shape: str, indexer: Indexer) -> None:
    """Names, symbols, quantities and memos may be any text."""
    events = [
        _moved(name, "dex.tokens", "1", "TKN"),
        _moved("alice", "dex.tokens", name, "TKN"),
        _moved("alice", "dex.tokens", "1", name),
        _moved("dex.tokens", name, "1", "TKN"),
        _moved("dex.tokens", "alice", name, name),
        _moved("dex.tokens", "dex.hive", name, name),
    ]
    word = custom(
        json.dumps({"contractName": "tokens", "contractPayload": {"memo": name, "to": "dex.tokens"}})
    )
    block = Block(
        1,
        START,
        [
            (transaction_id(1), [word]),
            (transaction_id(2), [transfer("alice", "dex.coin", "1.000 HIVE", name)]),
            (transaction_id(3), [transfer("dex.coin", "alice", "1.000 HIVE", name)]),
        ],
        {transaction_id(1): json.dumps({"events": events})},
    )
    lines = indexer.record([block], shape)
    kinds = ["deposit", "ignore", "ignore", "outflow", "outflow", "internal", "deposit", "outflow"]
    assert [line.split()[0] for line in lines] == kinds
    assert all(line.isascii() and line.isprintable() for line in lines)


def _moved(sender: str, to: str, quantity: str, symbol: str) -> dict[str, Any]:
    data = {"from": sender, "to": to, "quantity": quantity, "symbol": symbol}
    return {"contract": "tokens", "event": "transfer", "data": data}


@pytest.mark.parametrize("spelling", [b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xef\xbf\xbd", b"\\\\ud800"])
def test_raw_surrogates_and_nuls_in_the_blocks_own_json(spelling: bytes, indexer: Indexer) -> None:
    """In memos, in the text of a custom_json, and in other operations."""
    block = Block(
        1,
        START,
        [
            (transaction_id(1), [transfer("alice", "dex.coin", "1.000 HIVE", "HERE")]),
            (transaction_id(2), [custom(ours('{"symbol":"HERE"}'))]),
            (transaction_id(3), [custom('"HERE"')]),
            (transaction_id(4), [("comment", {"body": "HERE", "author": "HERE"})]),
            (transaction_id(5), [custom(_AFTER)]),
        ],
    )
    for shape in SHAPES:
        (line,) = block_texts([block], shape)
        indexer.follow([line.replace(b"HERE", spelling)], [])
        lines = indexer.lines()
        assert lines[0] == f"deposit {transaction_id(1)} alice HIVE 1000 dex.coin"
        assert lines[-1] == f"reject {transaction_id(5)} alice cancel - E_NOT_FOUND"
        # A NUL or broken escape in the text is malformed JSON; a surrogate is a bad symbol.
        assert lines[1:-1] in ([], [f"reject {transaction_id(2)} alice cancelAll - E_INPUT"])


def test_a_restart_between_hostile_blocks_changes_nothing(indexer: Indexer) -> None:
    texts = [*IGNORED.values(), *(text for text, _ in REJECTED.values()), *ACCEPTED.values()]
    blocks = [
        Block(number, START + 3 * number, [(transaction_id(number), [custom(text)])])
        for number, text in enumerate(texts, 1)
    ]
    lines = block_texts(blocks, "block_api")
    at_once = indexer.follow(lines, [])
    text = state_text(at_once.state)
    one_by_one = indexer.follow(lines, [], batch_blocks=1)
    assert state_text(one_by_one.state) == text
    assert one_by_one.state.journal_hash == at_once.state.journal_hash
