"""Parsing of blocks in both JSON shapes, and rejection of invalid ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from indexer.chain.blocks import (
    Block,
    BlockError,
    CustomJson,
    JsonDecoder,
    NaiAmount,
    Transfer,
    decode_leniently,
    native_amount,
    operation_of,
    seconds_of,
)
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded
from tests.support.blocks import block, block_value, custom_json, transfer

SHAPES = pytest.mark.parametrize("shape", ["block_api", "condenser"])


def operations(read: Block) -> list[tuple[str, object]]:
    """Every operation of a block: its name, and its value if it is a transfer or custom_json."""
    kinds: dict[str, JsonDecoder[Transfer] | JsonDecoder[CustomJson]]
    kinds = {"transfer": JsonDecoder(Transfer), "custom_json": JsonDecoder(CustomJson)}
    found: list[tuple[str, object]] = []
    for transaction in read.transactions:
        for unparsed in transaction.operations:
            operation = operation_of(unparsed)
            kind = kinds.get(operation.name)
            found.append((operation.name, kind.read(operation.value) if kind else None))
    return found


@pytest.mark.parametrize("name", recorded.BLOCK_FILES)
def test_every_recorded_block_reads_the_same_in_both_shapes(name: str) -> None:
    for value in recorded.load(name):
        read = Block(chain.as_text(value))
        other = Block(chain.as_text(recorded.in_other_shape(value), ascii_only=True))
        assert read.header == other.header
        assert read.number == int(value["block_id"][:8], 16)
        assert [item.id for item in read.transactions] == value["transaction_ids"]
        assert [(kind, normal(found)) for kind, found in operations(read)] == [
            (kind, normal(found)) for kind, found in operations(other)
        ]


def normal(value: object) -> object:
    """A transfer with its amount as text, whatever its shape."""
    if isinstance(value, Transfer):
        return value.sender, value.recipient, native_amount(value.amount), value.memo
    return value


@SHAPES
def test_a_block_says_its_number_and_time_and_what_is_in_it(shape: str) -> None:
    read = Block(
        block(
            7,
            [transfer("alice", "bob", "1.000 HIVE", "hi"), custom_json({"a": 1}, "carol", active=False)],
            [transfer("bob", "alice", "0.001 HBD")],
            shape=shape,
            timestamp=1_700_000_001,
        )
    )
    assert (read.number, read.timestamp) == (7, 1_700_000_001)
    assert read.header == (7, read.block_id, 1_700_000_001)
    assert [transaction.id for transaction in read.transactions] == [
        chain.transaction_id(7, 0),
        chain.transaction_id(7, 1),
    ]
    sent, said, back = (value for _, value in operations(read))
    assert normal(sent) == ("alice", "bob", ("1.000", "HIVE"), "hi")
    assert said == CustomJson([], ["carol"], "ssc-mainnet-hive", '{"a":1}')
    assert normal(back) == ("bob", "alice", ("0.001", "HBD"), "")


@pytest.mark.parametrize(
    ("memo", "escaped"),
    [
        ("\ud800", "\\ud800"),
        ("x\udc00y", "x\\udc00y"),
        ("\x00", "\\u0000"),
        ("\ud83d\ude00", "\\ud83d\\ude00"),
    ],
)
@SHAPES
def test_no_memo_can_make_a_block_unreadable(memo: str, escaped: str, shape: str) -> None:
    """The escape of a lone surrogate is valid JSON, although msgspec refuses it; NUL is an ordinary character."""
    text = block(5, [transfer("alice", "bob", "1.000 HIVE", "MEMO")], shape=shape)
    read = Block(text.replace(b"MEMO", escaped.encode()))
    ((_, value),) = operations(read)
    assert isinstance(value, Transfer)
    expected = json.loads(f'"{escaped}"')
    assert value.memo == expected
    assert normal(value) == ("alice", "bob", ("1.000", "HIVE"), expected)
    assert read.timestamp == Block(text).timestamp


@given(st.text(st.sampled_from('\\ud8c0af"1/ \x00é'), max_size=14))
def test_the_slow_reader_and_the_fast_one_read_the_same(content: str) -> None:
    """Any escape in a memo, valid or not: both readers return the same text, or reject the block."""
    text = block(5, [transfer("alice", "bob", "1.000 HIVE", "MEMO")])
    text = text.replace(b"MEMO", content.encode())
    try:
        value = json.loads(text)
    except ValueError:
        with pytest.raises(BlockError):
            Block(text)
        return
    memo = value["transactions"][0]["operations"][0]["value"]["memo"]
    ((_, read),) = operations(Block(text))
    assert isinstance(read, Transfer)
    assert read.memo == memo


def test_a_value_read_by_the_slow_reader_is_no_less_strict() -> None:
    """A precision in quotes is not a number, also in a block with a lone surrogate."""
    for precision in ("3", '"3"'):
        amount = f'{{"amount":"1","precision":{precision},"nai":"@@000000021"}}'
        for memo in ("plain", "\\ud800"):
            text = f'{{"from":"a","to":"b","memo":"{memo}","amount":{amount}}}'.encode()
            if precision == "3":
                assert normal(JsonDecoder(Transfer).read(text))
            else:
                with pytest.raises(BlockError, match="precision"):
                    JsonDecoder(Transfer).read(text)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"block_id": "0" * 40}, "count from 1"),
        ({"block_id": "5" * 39}, "40 hexadecimal"),
        ({"block_id": "A" * 40}, "40 hexadecimal"),
        ({"block_id": 5}, "block_id"),
        ({"previous": "0" * 40}, "not the id of the block before"),
        ({"previous": "zz"}, "40 hexadecimal"),
        ({"timestamp": "2023-02-29T00:00:00"}, "not a date"),
        ({"timestamp": "2023-02-28T24:00:00"}, "timestamp"),
        ({"timestamp": "2023-02-28T23:59:60"}, "timestamp"),
        ({"timestamp": "2023-02-28 23:59:59"}, "timestamp"),
        ({"timestamp": "2023-02-28T23:59:59Z"}, "timestamp"),
        ({"timestamp": "٢٠٢٣-02-28T23:59:59"}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"transaction_ids": []}, "0 transaction ids for 1 transactions"),
        ({"transaction_ids": ["no sense"]}, "not a transaction id"),
        ({"transaction_ids": None}, "transaction_ids"),
        ({"transactions": {}}, "transactions"),
        ({"transactions": [{}]}, "operations"),
    ],
)
def test_a_block_that_no_node_would_write_is_refused_in_words(
    change: dict[str, object], problem: str
) -> None:
    value = block_value(5, [[transfer("alice", "bob", "1.000 HIVE")]])
    with pytest.raises(BlockError, match=problem):
        operations(Block(chain.as_text({**value, **change})))


@pytest.mark.parametrize("missing", ["block_id", "previous", "timestamp", "transactions", "transaction_ids"])
def test_a_block_that_lacks_a_field_is_refused_by_its_name(missing: str) -> None:
    value = block_value(5)
    del value[missing]
    with pytest.raises(BlockError, match=missing):
        operations(Block(chain.as_text(value)))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b"{not json}", b"\xff", block(5)[:-1], block(5) + b"x"]
)
def test_what_is_no_json_object_is_no_block(text: bytes) -> None:
    with pytest.raises(BlockError):
        Block(text)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "[]",
        '["transfer"]',
        '["transfer",{},1]',
        "[1,{}]",
        '{"type":"transfer_operation"}',
        '{"value":{}}',
        '{"type":1,"value":{}}',
    ],
)
@pytest.mark.parametrize("read", [Raw, decode_leniently])
def test_what_is_no_operation_is_refused_whatever_the_reader(text: str, read: type[Raw]) -> None:
    with pytest.raises(BlockError):
        operation_of(read(text.encode()))


@pytest.mark.parametrize(
    "amount",
    [
        *(
            "1 HIVE",
            "1.00 HIVE",
            "01.000 HIVE",
            "-1.000 HIVE",
            "1.000 VESTS",
            "1.000",
            "1.000  HIVE",
            "١.000 HIVE",
        ),
        *(
            NaiAmount("1000", 6, "@@000000021"),
            NaiAmount("1000", 3, "@@000000037"),
            NaiAmount("-1", 3, "@@000000021"),
        ),
        *(
            NaiAmount("01", 3, "@@000000021"),
            NaiAmount("1.5", 3, "@@000000021"),
            NaiAmount("", 3, "@@000000021"),
        ),
    ],
)
def test_an_amount_that_is_not_of_the_native_coins_is_refused(amount: str | NaiAmount) -> None:
    with pytest.raises(BlockError, match="not an amount"):
        native_amount(amount)


@given(st.integers(0, 10**24), st.sampled_from(["HIVE", "HBD"]))
def test_an_amount_is_the_same_text_from_both_shapes(mils: int, symbol: str) -> None:
    text = f"{mils // 1000}.{mils % 1000:03}"
    assert native_amount(f"{text} {symbol}") == (text, symbol)
    assert native_amount(NaiAmount(str(mils), 3, chain.NAI[symbol])) == (text, symbol)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))
def test_times_are_seconds_since_1970(when: datetime) -> None:
    when = when.replace(microsecond=0)
    assert seconds_of(when.isoformat()) == int(when.replace(tzinfo=UTC).timestamp())
