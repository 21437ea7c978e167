"""/api/orderbook: the order book of a pair, aggregated by price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from api.database import Snapshot
from api.http.formatting import PairFormat
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
    """All orders at one price: amount in base, number of orders, total value in quote."""

    price: Price
    amount: Amount
    orders: Count
    total: Amount


class OrderBook(Answer, kw_only=True):
    """Best price first on both sides."""

    base: str
    quote: str
    bids: list[Level]
    asks: list[Level]


def _view(snapshot: Snapshot, params: BookParameters) -> OrderBook:
    fmt = pair_of(snapshot, params.base, params.quote)
    bids, asks = (
        read_levels(snapshot.connection, fmt.row.id, is_buy, params.depth, params.block)
        for is_buy in (True, False)
    )
    return OrderBook(
        *snapshot.stamp,
        base=params.base,
        quote=params.quote,
        bids=[show_level(fmt, row) for row in bids],
        asks=[show_level(fmt, row) for row in asks],
    )


def show_level(fmt: PairFormat, row: LevelRow) -> Level:
    return Level(
        price=fmt.price(row.price),
        amount=fmt.base(row.remaining),
        orders=row.orders,
        total=fmt.value(row.price, row.remaining),
    )


resource = Resource(
    "/api/orderbook",
    BookParameters,
    OrderBook,
    "The order book of a pair, aggregated by price.",
    _view,
    errors=("E_PAIR", "E_BLOCK"),
)
