"""Shared by the formats of other sites: pair names like `PEK_SWAP.HIVE`, and exact JSON numbers."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Raw

from api.database import Snapshot
from api.http.errors import not_found
from api.http.formatting import PairFormat
from api.http.parameters import Rule
from settlement.core.parsing.names import is_symbol
from settlement.store.read.venue import find_pair

MAX_LEVELS: Final = 5_000
"""Maximum of levels per side."""

Number = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
"""A JSON number with all its decimals, never converted to a float."""

Milliseconds = Annotated[int, Meta(description="Since 1970, UTC.")]


class Ticker(NamedTuple):
    """A pair by its symbols, which contain no underscore."""

    base: str
    quote: str


def _read_ticker(text: str) -> Ticker | None:
    base, separator, quote = text.partition("_")
    return Ticker(base, quote) if separator and is_symbol(base) and is_symbol(quote) else None


_SYMBOL: Final = r"[A-Z]{1,10}(\.[A-Z]{1,10})?"
TICKER_RULE: Final = Rule(
    "a pair like PEK_SWAP.HIVE", _read_ticker, {"type": "string", "pattern": f"^{_SYMBOL}_{_SYMBOL}$"}
)
TickerId = Annotated[Ticker, TICKER_RULE]


def levels_a_side(depth: int) -> int:
    """Levels per side: half of the depth; all for depth 0."""
    return (depth + 1) // 2 or MAX_LEVELS


def ticker_id(base: str, quote: str) -> str:
    return f"{base}_{quote}"


def number(text: str) -> Raw:
    """Decimal text as a JSON number."""
    return Raw(text.encode())


def number_or_none(text: str | None) -> Raw | None:
    return None if text is None else number(text)


def pair_of_ticker(snapshot: Snapshot, ticker: Ticker) -> PairFormat:
    """The pair of that name. Raises ApiError (404) if it does not exist."""
    row = find_pair(snapshot.connection, *ticker)
    if row is None:
        raise not_found(f"There is no pair {ticker_id(*ticker)}. /api/pairs lists them.", "E_PAIR")
    return PairFormat(row)


def milliseconds(snapshot: Snapshot) -> int:
    """Time of the snapshot's block; 0 before the first."""
    return (snapshot.timestamp or 0) * 1000
