"""/api/history: trades of a pair or of an account, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import bad_input
from api.http.formatting import PairFormat, Trade
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
    """A trade of an account, with its pair and the account's side and role."""

    base: str
    quote: str
    side: Annotated[
        Side, Meta(description="Side of the account's order; in a self-trade, of the taker order.")
    ]
    role: Annotated[str, choice(TAKER, MAKER, BOTH), Meta(description="`both`: a self-trade.")]


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


def _view(snapshot: Snapshot, params: HistoryParameters) -> History | OwnHistory:
    if params.user is not None:
        return _of_account(snapshot, params, params.user)
    if params.base is None or params.quote is None:
        raise bad_input("give base and quote for the trades of a pair, or user for the trades of an account.")
    cursors = Cursors("history", params.base, params.quote)
    before = cursors.read(params.cursor)
    fmt = pair_of(snapshot, params.base, params.quote)
    page = list_trades(snapshot.connection, fmt.row.id, before, params.limit)
    return History(
        *snapshot.stamp,
        base=params.base,
        quote=params.quote,
        trades=[fmt.trade(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _of_account(snapshot: Snapshot, params: HistoryParameters, user: str) -> OwnHistory:
    cursors = Cursors("history", user, params.base, params.quote)
    before = cursors.read(params.cursor)
    pair_id = None
    if params.base is not None or params.quote is not None:
        if params.base is None or params.quote is None:
            raise bad_input("give base and quote together, or neither.")
        pair_id = pair_of(snapshot, params.base, params.quote).row.id
    account = find_account(snapshot.connection, user)
    page: Page[AccountTradeRow] = Page([], None)
    if account is not None:
        page = list_account_trades(snapshot.connection, account, pair_id, before, params.limit)
    return OwnHistory(
        *snapshot.stamp,
        user=user,
        trades=_own_trades(snapshot, page.rows),
        next_cursor=cursors.write(page.next_key),
    )


def list_own_trades(snapshot: Snapshot, user: str, limit: int) -> list[OwnTrade]:
    """The newest trades of an account."""
    account = find_account(snapshot.connection, user)
    if account is None:
        return []
    return _own_trades(snapshot, list_account_trades(snapshot.connection, account, None, None, limit).rows)


def _own_trades(snapshot: Snapshot, rows: Iterable[AccountTradeRow]) -> list[OwnTrade]:
    formats = {number: PairFormat(pair) for number, pair in read_pairs(snapshot.connection).items()}
    return [_own_trade(row, formats[row.pair_id]) for row in rows]


def _own_trade(row: AccountTradeRow, fmt: PairFormat) -> OwnTrade:
    trade = fmt.trade(row.trade)
    is_buy = row.trade.taker_is_buy == row.is_taker
    return OwnTrade(
        **{name: getattr(trade, name) for name in Trade.__struct_fields__},
        base=fmt.row.base,
        quote=fmt.row.quote,
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
