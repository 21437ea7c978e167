"""Account names, symbols, and percent-encoding of free text (protocol, sections 1 and 11)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from settlement.core.events import Chain

MIN_ACCOUNT_LENGTH: Final = 3
MAX_ACCOUNT_LENGTH: Final = 16
ACCOUNT_PATTERN: Final = r"[a-z][a-z0-9-]+[a-z0-9](\.[a-z][a-z0-9-]+[a-z0-9])*"
"""An account name apart from its length, for regular expressions that name one."""

_ACCOUNT: Final = re.compile(ACCOUNT_PATTERN)
_SYMBOL: Final = re.compile(r"[A-Z]{1,10}(?:\.[A-Z]{1,10})?")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_ACTION: Final = re.compile(r"[A-Za-z]{1,32}")
_REF: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")

# Longer text is not cached: an attacker could fill the memory with it.
_LONGEST_SYMBOL: Final = 21
_LONGEST_ACTION: Final = 32

EMPTY: Final = "%"
"""Empty text, percent-encoded."""

NATIVE_COINS: Final = ("HIVE", "HBD")
NATIVE_PRECISION: Final = 3


def chain_of(symbol: str) -> Chain:
    """The chain on which a token of that symbol lives (section 1)."""
    return "hive" if symbol in NATIVE_COINS else "hive-engine"


def is_account(value: object) -> bool:
    """Whether it is an account name by hived's rule (section 1)."""
    return (
        isinstance(value, str)
        and MIN_ACCOUNT_LENGTH <= len(value) <= MAX_ACCOUNT_LENGTH
        and _ACCOUNT.fullmatch(value) is not None
    )


def is_symbol(text: str) -> bool:
    """Whether it is a token symbol (section 1)."""
    return len(text) <= _LONGEST_SYMBOL and _matches_symbol(text)


@lru_cache(maxsize=1 << 10)
def _matches_symbol(text: str) -> bool:
    return _SYMBOL.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """Whether it is a valid trader's reference (section 5)."""
    return _REF.fullmatch(text) is not None and text != "-"


def action_text(name: object) -> str:
    """An action's name for the journal: itself, or `-` where it is no plain word (section 11)."""
    is_word = type(name) is str and len(name) <= _LONGEST_ACTION and _matches_action(name)
    return str(name) if is_word else "-"


@lru_cache(maxsize=1 << 8)
def _matches_action(text: str) -> bool:
    return _ACTION.fullmatch(text) is not None


def encode(text: str) -> str:
    """Percent-encode free text for the journal (section 11): injective, printable ASCII, no spaces.

    A lone surrogate is written as its three bytes, empty text as `%`. Free text from the chain is kept in
    this form in memory and in the database.
    """
    if text.isalnum() and text.isascii():  # most names: a third of the time
        return text
    if _PLAIN.fullmatch(text) is None:
        return quote(text, safe="", errors="surrogatepass") if text else EMPTY
    return "%2D" if text == "-" else text


def decode(text: str) -> str:
    """Inverse of `encode`, for display; lone surrogates become U+FFFD."""
    return "" if text == EMPTY else unquote(text, errors="replace")
