"""/api/history: the trades of a pair, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from api.database import Snapshot
from api.paging import Cursors
from api.pairs import pair_of
from api.parameters import PageParameters, Symbol
from api.resource import Body, Resource
from settlement.store.queries.trades import list_trades


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryParameters(PageParameters):
    base: Symbol
    quote: Symbol


def _view(snapshot: Snapshot, ask: HistoryParameters) -> Body:
    cursors = Cursors("history", ask.base, ask.quote)
    before = cursors.read(ask.cursor)
    show = pair_of(snapshot, ask.base, ask.quote)
    page = list_trades(snapshot.connection, show.row.id, before, ask.limit)
    return {
        "base": ask.base,
        "quote": ask.quote,
        "trades": [show.trade(row) for row in page.rows],
        "next_cursor": cursors.write(page.next_key),
    }


resource = Resource("/api/history", HistoryParameters, _view, "The trades of a pair, newest first.")
