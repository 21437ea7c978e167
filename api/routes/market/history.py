"""/api/history: trades, newest first: those of a pair, or those of an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import bad_input
from api.http.formatting import PairShow, Trade
from api.http.paging import Cursors
from api.http.parameters import PageParameters, Symbol, User
from api.http.resource import Resource
from api.http.shapes import Answer, NextCursor, Side, choice
from api.routes.market.pairs import pair_of
from settlement.store.read.market.trades import AccountTradeRow, list_account_trades, list_trades
from settlement.store.read.paging import Page
from settlement.store.read.venue import find_account, read_pairs

TAKER, MAKER, BOTH = "taker", "maker", "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryParameters(PageParameters):
    base: Symbol | None = None
    quote: Symbol | None = None
    user: User | None = None


class OwnTrade(Trade, kw_only=True):
    """A trade of an account: its pair, and where the account stood in it."""

    base: str
    quote: str
    side: Annotated[Side, Meta(description="Of its order; where it traded with itself, of its taker order.")]
    role: Annotated[str, choice(TAKER, MAKER, BOTH), Meta(description="`both`: it traded with itself.")]


class History(Answer, kw_only=True):
    base: str
    quote: str
    trades: list[Trade]
    next_cursor: NextCursor


class OwnHistory(Answer, kw_only=True):
    """With `user`."""

    user: str
    trades: list[OwnTrade]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, ask: HistoryParameters) -> History | OwnHistory:
    if ask.user is not None:
        return _of_account(snapshot, ask, ask.user)
    if ask.base is None or ask.quote is None:
        raise bad_input(
            "base and quote name a pair together: give both, or user for the trades of an account."
        )
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


def _of_account(snapshot: Snapshot, ask: HistoryParameters, user: str) -> OwnHistory:
    cursors = Cursors("history", user, ask.base, ask.quote)
    before = cursors.read(ask.cursor)
    pair_id = None
    if ask.base is not None or ask.quote is not None:
        if ask.base is None or ask.quote is None:
            raise bad_input("base and quote name a pair together: give both or neither.")
        pair_id = pair_of(snapshot, ask.base, ask.quote).row.id
    account = find_account(snapshot.connection, user)
    page: Page[AccountTradeRow] = Page([], None)
    if account is not None:
        page = list_account_trades(snapshot.connection, account, pair_id, before, ask.limit)
    shows = {number: PairShow(pair) for number, pair in read_pairs(snapshot.connection).items()}
    return OwnHistory(
        *snapshot.stamp,
        user=user,
        trades=[_own_trade(row, shows[row.pair_id]) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _own_trade(row: AccountTradeRow, show: PairShow) -> OwnTrade:
    trade = show.trade(row.trade)
    is_buy = row.trade.taker_is_buy == row.is_taker
    return OwnTrade(
        **{name: getattr(trade, name) for name in Trade.__struct_fields__},
        base=show.row.base,
        quote=show.row.quote,
        side="buy" if is_buy else "sell",
        role=BOTH if row.is_taker and row.is_maker else TAKER if row.is_taker else MAKER,
    )


resource = Resource(
    "/api/history",
    HistoryParameters,
    History | OwnHistory,
    "Trades of a pair or of an account, newest first.",
    _view,
    errors=("E_PAIR",),
)
