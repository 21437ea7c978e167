"""/api/orderbook: what is on offer in a pair, added up by price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from api.database import Snapshot
from api.http.formatting import PairShow
from api.http.parameters import BlockNumber, PairParameters, whole_number
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, Part, Price
from api.routes.market.pairs import pair_of
from settlement.store.read.market.order_book import LevelRow, read_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class BookParameters(PairParameters):
    depth: Annotated[int, whole_number(1, 500)] = 50
    block: BlockNumber | None = None


class Level(Part, kw_only=True):
    """All orders at one price: their amount in base, their number, their worth in quote."""

    price: Price
    amount: Amount
    orders: Count
    total: Amount


class OrderBook(Answer, kw_only=True):
    """Best prices first on both sides."""

    base: str
    quote: str
    bids: list[Level]
    asks: list[Level]


def _view(snapshot: Snapshot, ask: BookParameters) -> OrderBook:
    show = pair_of(snapshot, ask.base, ask.quote)
    bids, asks = (
        read_levels(snapshot.connection, show.row.id, is_buy, ask.depth, ask.block)
        for is_buy in (True, False)
    )
    return OrderBook(
        *snapshot.stamp,
        base=ask.base,
        quote=ask.quote,
        bids=[show_level(show, row) for row in bids],
        asks=[show_level(show, row) for row in asks],
    )


def show_level(show: PairShow, row: LevelRow) -> Level:
    return Level(
        price=show.price(row.price),
        amount=show.base(row.remaining),
        orders=row.orders,
        total=show.value(row.price, row.remaining),
    )


resource = Resource(
    "/api/orderbook",
    BookParameters,
    OrderBook,
    "The order book of a pair, added up by price.",
    _view,
    errors=("E_PAIR", "E_BLOCK"),
)
