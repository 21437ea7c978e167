"""/api/marks: each pair's mark, the average price of its last ten blocks with trades."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import PairFormat
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Part, Price
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store.read.market.marks import MarkRow, read_window
from settlement.store.read.venue import read_pairs

MarkPrice = Annotated[
    Price | None,
    Meta(description="Quote per base, with four decimals more than a price, rounded; null without a mark."),
]


class MarkBlock(Part, kw_only=True):
    """The trades between different accounts of one block, at the resting orders' prices."""

    block: Block
    amount: Amount
    quote_amount: Amount


class Mark(Part, kw_only=True):
    """A pair's mark is exactly `quote_amount / amount`, the sums over its window."""

    base: str
    quote: str
    mark: MarkPrice
    amount: Amount
    quote_amount: Amount
    window: Annotated[list[MarkBlock], Meta(description="Oldest first, at most ten.")]


class Marks(Answer, kw_only=True):
    marks: list[Mark]


def show_mark(fmt: PairFormat, window: list[MarkRow]) -> str | None:
    """The mark as decimal text."""
    if not window:
        return None
    return fmt.ratio(sum(row.quote for row in window), sum(row.base for row in window))


def _view(snapshot: Snapshot, _: NoParameters) -> Marks:
    return Marks(
        *snapshot.stamp,
        marks=[
            _mark(PairFormat(pair), read_window(snapshot.connection, number, MAX_UNITS))
            for number, pair in read_pairs(snapshot.connection).items()
        ],
    )


def _mark(fmt: PairFormat, window: list[MarkRow]) -> Mark:
    return Mark(
        base=fmt.row.base,
        quote=fmt.row.quote,
        mark=show_mark(fmt, window),
        amount=fmt.base(sum(row.base for row in window)),
        quote_amount=fmt.quote(sum(row.quote for row in window)),
        window=[
            MarkBlock(block=row.block, amount=fmt.base(row.base), quote_amount=fmt.quote(row.quote))
            for row in window
        ],
    )


resource = Resource("/api/marks", NoParameters, Marks, "The mark of each pair and its window.", _view)
