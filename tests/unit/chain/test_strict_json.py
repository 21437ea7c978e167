"""The strict JSON parser: any depth, numbers as literal text, and two implementations that must agree."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.chain.strict_json import ChainJsonError, dumps, loads, loads_deep
from settlement.core.events import JsonNumber

Read = Callable[[str], object]
READERS = pytest.mark.parametrize("read", [loads, loads_deep])

PIECES = [
    *'[]{},:" \t\n\r',
    *("true", "false", "null", "NaN", "Infinity", "-Infinity", "nul", "True"),
    *("0", "-0", "01", "1.5", "1.", ".5", "1e5", "1E-7", "-", "+1", "1e", "٣", "１", "0x1"),
    *('"a"', '"a":', '"\\u0041"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\x"', '"\\u12"', '"\\'),
    *("\x00", "\ufeff", "\u00a0", "\u2028", "\ud800", '"\x1f"', '"\x7f"', "//", "é"),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def broken_json(draw: st.DrawFn) -> str:
    """JSON text with a few of its characters lost, doubled or replaced."""
    text = json.dumps(
        draw(JSON_VALUES), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", *PIECES])) + text[at + draw(st.integers(0, 2)) :]
    return text


def outcome(read: Read, text: str) -> object:
    """What a reader makes of a text, with types and order: comparable."""
    try:
        value = read(text)
    except ChainJsonError:
        return ChainJsonError
    return repr(value), [type(item) for item in leaves(value)]


def leaves(value: object) -> list[object]:
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [value]


@given(broken_json() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example('{"a":1,"b":[],"a":2}')
@example("[1,]")
@example('{"a":1,}')
def test_both_readers_accept_the_same_language_with_the_same_values(text: str) -> None:
    assert outcome(loads, text) == outcome(loads_deep, text)


@given(JSON_VALUES)
def test_what_was_read_can_be_written_and_read_again(value: object) -> None:
    read = loads(json.dumps(value))
    assert repr(loads(dumps(read))) == repr(read)
    assert json.loads(dumps(read)) == json.loads(json.dumps(value))


@READERS
def test_numbers_are_their_literal_text(read: Read) -> None:
    value = read('[1, -0, 1.50, 1e999999999, 0.1E-7, {"a": 2}]')
    assert isinstance(value, list)
    assert value == ["1", "-0", "1.50", "1e999999999", "0.1E-7", {"a": "2"}]
    assert all(type(item) is JsonNumber for item in value[:5])
    assert type(read('"1"')) is str


@READERS
def test_a_number_may_have_5000_digits(read: Read) -> None:
    digits = "7" * 5000
    assert read(f"[{digits}]") == [digits]


@READERS
@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "NaN", "[Infinity]", "-Infinity", "01", "1.", "+1", "[1,]", '{"a":1,}', "{1:2}", "'a'"),
        *('"\x00"', '"\x1f"', '"a\nb"', '"\\x41"', '"\\u00"', '"open', "\ufeff1", "1 2", "[1]]", '{"a"}'),
        *("\u00a01", "٣", "nulll", "tru", "/**/1", '{"a":}', "[", "{", "[[", '{"a":1', ",", "]"),
    ],
)
def test_what_rfc_8259_does_not_allow_is_malformed(read: Read, text: str) -> None:
    with pytest.raises(ChainJsonError):
        read(text)


@READERS
def test_of_keys_that_occur_twice_the_last_counts(read: Read) -> None:
    assert read('{"a":1,"b":2,"a":[3]}') == {"a": ["3"], "b": "2"}


@READERS
def test_a_lone_surrogate_stays_and_a_pair_becomes_one_character(read: Read) -> None:
    assert read('"\\ud800x\\udc00 \\ud83d\\ude00"') == "\ud800x\udc00 \U0001f600"


@pytest.mark.parametrize("limit", [200, 1000, 20000])
def test_depth_means_the_same_under_every_recursion_limit(limit: int) -> None:
    depth = 4000
    good = '{"a":[' * depth + "1" + "]}" * depth
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        assert dumps(loads(good)) == good
        for bad in (good[:-1], good + "]", good.replace("1", "01"), "[" * 100_000):
            with pytest.raises(ChainJsonError):
                loads(bad)
    finally:
        sys.setrecursionlimit(usual)


def test_only_what_was_read_can_be_written() -> None:
    with pytest.raises(TypeError, match="float"):
        dumps([1.5])


def test_numbers_can_become_something_else() -> None:
    deep = "[" * 3000 + "1" + "]" * 3000
    assert loads("[1, 2.5]", float) == [1.0, 2.5]
    assert loads_deep("[1, 2.5]", float) == [1.0, 2.5]
    value = loads(deep, int)
    while isinstance(value, list):
        (value,) = value
    assert value == 1
