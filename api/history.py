"""/api/history: the trades of a pair, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from api.database import Snapshot
from api.paging import Cursors
from api.pairs import pair_of
from api.parameters import PageParameters, Symbol
from api.resource import Resource
from api.shapes import Answer, NextCursor
from api.show import Trade
from settlement.store.queries.trades import list_trades


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryParameters(PageParameters):
    base: Symbol
    quote: Symbol


class History(Answer, kw_only=True):
    base: str
    quote: str
    trades: list[Trade]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, ask: HistoryParameters) -> History:
    cursors = Cursors("history", ask.base, ask.quote)
    before = cursors.read(ask.cursor)
    show = pair_of(snapshot, ask.base, ask.quote)
    page = list_trades(snapshot.connection, show.row.id, before, ask.limit)
    return History(
        *snapshot.stamp,
        base=ask.base,
        quote=ask.quote,
        trades=[show.trade(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


resource = Resource(
    "/api/history",
    HistoryParameters,
    History,
    "The trades of a pair, newest first.",
    _view,
    errors=("E_PAIR",),
)
