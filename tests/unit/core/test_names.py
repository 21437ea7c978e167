"""Account names, symbols, and percent-encoding of free text (protocol, sections 1 and 11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.core.events import JsonNumber
from settlement.core.parsing.names import action_text, decode, encode, is_account, is_ref, is_symbol

ACCOUNTS = [
    "abc",
    "a1b",
    "a-b",
    "abc-def",
    "a-b-c-d",
    "my--name",
    "a--b.c--d",
    "abc.def",
    "abc.d-f.g1h",
    "peakecoin.fees",
    "a234567890123456",
]
NOT_ACCOUNTS = [
    *("", "ab", "a2345678901234567"),  # too short, too long
    *(
        "Abc",
        "aBc",
        "äbc",
        "abc\n",
        " abc",
        "ab c",
        "ab_c",
        "ab/c",
        "abc\u0660",
    ),  # letters that are not allowed
    *("1bc", "-bc", "abc-", "ab--", "--a", "a.b"),  # beginning, end
    *(
        "ab.cde",
        "abc.de",
        "abc..def",
        ".abc",
        "abc.",
        "abc.1de",
        "abc.-de",
        "abc.de-",
        "abc-.def",
    ),  # segments
    *(None, 123, b"abc", ["abc"], True),
]


@pytest.mark.parametrize("name", ACCOUNTS)
def test_valid_account_names(name: str) -> None:
    assert is_account(name)


@pytest.mark.parametrize("name", NOT_ACCOUNTS)
def test_invalid_account_names(name: object) -> None:
    assert not is_account(name)


@pytest.mark.parametrize(
    ("symbol", "valid"),
    [
        *((s, True) for s in ("A", "PEK", "SWAP.HIVE", "ABCDEFGHIJ", "ABCDEFGHIJ.ABCDEFGHIJ")),
        *(
            (s, False)
            for s in ("", ".", "PEK.", ".PEK", "A.B.C", "pek", "PEK1", "PEK ", "PEK\n", "ABCDEFGHIJK", "ÄB")
        ),
        ("A.ABCDEFGHIJK", False),
    ],
)
def test_symbols(symbol: str, valid: bool) -> None:
    assert is_symbol(symbol) is valid


@pytest.mark.parametrize(
    ("ref", "valid"),
    [
        *((r, True) for r in ("a", "A-b_c.9", "--", "r" * 32)),
        *((r, False) for r in ("", "-", "r" * 33, "a b", "a\n", "é", "a/b")),
    ],
)
def test_a_traders_own_reference(ref: str, valid: bool) -> None:
    assert is_ref(ref) is valid


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("buy", "buy"),
        ("NoSuchThing", "NoSuchThing"),
        ("a" * 32, "a" * 32),
        *((text, "-") for text in ("a" * 33, "", "buy1", "buy ", "buy\n", "bïy", "-")),
        (None, "-"),
        (True, "-"),
        (7, "-"),
        ([], "-"),
        ({}, "-"),
        (JsonNumber("1"), "-"),
    ],
)
def test_the_action_of_a_reject_line(name: object, shown: str) -> None:
    assert action_text(name) == shown


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain.text_of~all-kinds09AZ", "plain.text_of~all-kinds09AZ"),
        ("-", "%2D"),
        ("", "%"),
        ("%", "%25"),
        ("--", "--"),
        ("a b", "a%20b"),
        ("a+b/c", "a%2Bb%2Fc"),
        ("100%", "100%25"),
        ("%2D", "%252D"),
        ("\n\r\t\x00\x7f", "%0A%0D%09%00%7F"),
        ("é☃", "%C3%A9%E2%98%83"),
        ("😀", "%F0%9F%98%80"),
        ("\ud83d", "%ED%A0%BD"),
        ("\udc00x", "%ED%B0%80x"),
        ("\u202e\u2028", "%E2%80%AE%E2%80%A8"),
    ],
)
def test_percent_encoding_of_free_text(text: str, written: str) -> None:
    assert encode(text) == written


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)  # lone surrogates and NUL included


@given(ANY_TEXT, ANY_TEXT)
def test_encoding_is_injective(one: str, other: str) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@given(ANY_TEXT)
def test_encoded_text_is_one_printable_word(text: str) -> None:
    written = encode(text)
    assert written
    assert written.isascii()
    assert not set(written) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-%")
    assert written != "-"


@given(st.text())
def test_encoded_text_can_be_decoded(text: str) -> None:
    assert decode(encode(text)) == text


def test_lone_surrogates_are_shown_as_replacements() -> None:
    shown = decode(encode("a\ud800b"))
    assert (shown[0], shown[-1]) == ("a", "b")
    assert set(shown[1:-1]) == {"\ufffd"}
    shown.encode()  # can be sent to a screen
