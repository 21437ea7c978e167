"""/api/orderbook: what is on offer in a pair, added up by price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from api.database import Snapshot
from api.pairs import pair_of
from api.parameters import PairParameters, whole_number
from api.resource import Body, Resource
from api.show import PairShow
from settlement.store.queries.book import LevelRow, read_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class BookParameters(PairParameters):
    depth: Annotated[int, whole_number(1, 500)] = 50


def _view(snapshot: Snapshot, ask: BookParameters) -> Body:
    show = pair_of(snapshot, ask.base, ask.quote)
    bids, asks = (
        [_level(show, row) for row in read_levels(snapshot.connection, show.row.id, is_buy, ask.depth)]
        for is_buy in (True, False)
    )
    return {"base": ask.base, "quote": ask.quote, "bids": bids, "asks": asks}


def _level(show: PairShow, row: LevelRow) -> Body:
    return {
        "price": show.price(row.price),
        "amount": show.base(row.remaining),
        "orders": row.orders,
        "total": show.value(row.price, row.remaining),
    }


resource = Resource("/api/orderbook", BookParameters, _view, "The order book of a pair, added up by price.")
