"""Topics of a subscription, parsed from the `topics` parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from api.http.errors import ApiError, bad_input
from settlement.core.parsing.names import ACCOUNT_PATTERN, is_account, is_symbol
from settlement.store.read.market.candles import INTERVALS

MAX_TOPICS: Final = 64
MAX_LENGTH: Final = 3_000
"""Characters of the parameter: enough for MAX_TOPICS of the longest kind."""
_PAIR: Final = r"[A-Z.]{1,21}/[A-Z.]{1,21}"
_TOPIC: Final = (
    rf"((book|trades)(:{_PAIR})?|candles:{_PAIR}:[0-9]{{1,2}}[mhdw]|account:{ACCOUNT_PATTERN}|block)"
)
TOPICS_PATTERN: Final = f"^{_TOPIC}(,{_TOPIC})*$"
"""Approximate pattern for OpenAPI; `read_topics` decides."""
_KINDS: Final = "book, trades, candles:BASE/QUOTE:INTERVAL, account:NAME and block"


class Pair(NamedTuple):
    """A pair by its symbols."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


class CandleTopic(NamedTuple):
    pair: Pair
    interval: str


@dataclass(frozen=True, slots=True)
class Topics:
    """Sorted, without duplicates. None means every pair. `block` adds nothing: all subscribers get heads."""

    books: tuple[Pair, ...] | None = ()
    trades: tuple[Pair, ...] | None = ()
    candles: tuple[CandleTopic, ...] = ()
    accounts: tuple[str, ...] = ()

    def pairs(self) -> Iterable[Pair]:
        """Every pair that is named."""
        yield from self.books or ()
        yield from self.trades or ()
        yield from (topic.pair for topic in self.candles)


class _Found:
    """Topics parsed so far. None among pairs means all pairs."""

    def __init__(self) -> None:
        self.books: set[Pair | None] = set()
        self.trades: set[Pair | None] = set()
        self.candles: set[CandleTopic] = set()
        self.accounts: set[str] = set()

    def book(self, name: str, parts: list[str]) -> None:
        self.books.add(_pair_or_all(name, parts))

    def trade(self, name: str, parts: list[str]) -> None:
        self.trades.add(_pair_or_all(name, parts))

    def candle(self, name: str, parts: list[str]) -> None:
        if len(parts) != 2 or parts[1] not in INTERVALS:
            intervals = ", ".join(INTERVALS)
            raise _bad(name, f"Use candles:PEK/SWAP.HIVE:1m, with one of the intervals {intervals}")
        self.candles.add(CandleTopic(_pair(name, parts[0]), parts[1]))

    def account(self, name: str, parts: list[str]) -> None:
        if len(parts) != 1 or not is_account(parts[0]):
            raise _bad(name, "Use account:alice, with the name of a Hive account")
        self.accounts.add(parts[0])

    def block(self, name: str, parts: list[str]) -> None:
        if parts:
            raise _bad(name, "block takes no argument")


_READERS: Final[dict[str, Callable[[_Found, str, list[str]], None]]] = {
    "book": _Found.book,
    "trades": _Found.trade,
    "candles": _Found.candle,
    "account": _Found.account,
    "block": _Found.block,
}


def read_topics(text: str) -> Topics:
    """Parse the parameter. Raises ApiError (400) with the topic, the reason and the cure."""
    names = text.split(",")
    if len(names) > MAX_TOPICS:
        raise bad_input(f"topics has {len(names)} topics: the maximum is {MAX_TOPICS} per stream.")
    found = _Found()
    for name in names:
        kind, *parts = name.split(":")
        read = _READERS.get(kind)
        if read is None:
            raise _bad(name, f"The kinds are {_KINDS}")
        read(found, name, parts)
    return Topics(
        _all_or_sorted(found.books),
        _all_or_sorted(found.trades),
        tuple(sorted(found.candles)),
        tuple(sorted(found.accounts)),
    )


def _all_or_sorted(pairs: set[Pair | None]) -> tuple[Pair, ...] | None:
    return None if None in pairs else tuple(sorted(pair for pair in pairs if pair is not None))


def _pair_or_all(name: str, parts: list[str]) -> Pair | None:
    if not parts:
        return None
    if len(parts) != 1:
        raise _bad(name, "Use book:PEK/SWAP.HIVE")
    return _pair(name, parts[0])


def _pair(name: str, text: str) -> Pair:
    base, slash, quote = text.partition("/")
    if not slash or not is_symbol(base) or not is_symbol(quote):
        raise _bad(name, "Write a pair as PEK/SWAP.HIVE")
    return Pair(base, quote)


def _bad(name: str, cure: str) -> ApiError:
    shown = ascii(name if len(name) <= 60 else f"{name[:60]}…")
    return bad_input(f"topics: {shown} is not a topic. {cure}.")
