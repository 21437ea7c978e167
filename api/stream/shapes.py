"""What the events of the stream say. The types are the documentation, as in `api.http.shapes`.

The parts of an event are encoded before and put together, not made anew for each listener.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from api.http.formatting import Trade
from api.http.shapes import Block, Count, Hash, Part, Time, choice
from api.routes.accounts.balances import Balance
from api.routes.accounts.deposits import Deposit
from api.routes.accounts.orders import Order
from api.routes.accounts.withdrawals import Withdrawal
from api.routes.market.candles import Candle
from api.routes.market.orderbook import Level
from settlement.store.read.market.candles import INTERVALS

RESETS = ("too_old", "unknown", "started_anew")
Seq = Annotated[int, Meta(ge=0, description="Counts the blocks of ours: 1, 2, 3 … without gaps.")]


class BookChange(Part, kw_only=True):
    """The levels that a block changed, as they stand after it. Amount 0: the level is gone."""

    base: str
    quote: str
    bids: list[Level]
    asks: list[Level]


class Book(BookChange, kw_only=True):
    """The levels of a pair, best first. Not `complete`: there are more beyond the last of a side."""

    complete: bool


class Trades(Part, kw_only=True):
    """Trades of a pair, newest first."""

    base: str
    quote: str
    trades: list[Trade]


class GrowingCandle(Part, kw_only=True):
    """The candle of a pair's last trade, as it stands; null before the first trade."""

    base: str
    quote: str
    interval: Annotated[str, choice(*INTERVALS)]
    candle: Candle | None


class AccountNow(Part, kw_only=True):
    """What an account holds, and its open orders, newest first."""

    user: str
    balances: list[Balance]
    orders: list[Order]


class AccountChange(AccountNow, kw_only=True):
    """What a block changed of an account, as it stands after it: balances of tokens, orders, also closed
    ones, deposits and withdrawals."""

    deposits: list[Deposit]
    withdrawals: list[Withdrawal]


class Told(Part, kw_only=True):
    """The last block of ours of which an event speaks. Before the first its number is 0 and `ts` null."""

    seq: Seq
    block: Block
    ts: Time | None
    journal_hash: Hash


class SnapshotEvent(Told, kw_only=True):
    """Everything that was asked for, as it stands. Kinds that were not asked for are left out."""

    books: list[Book] | UnsetType = UNSET
    trades: list[Trades] | UnsetType = UNSET
    candles: list[GrowingCandle] | UnsetType = UNSET
    accounts: list[AccountNow] | UnsetType = UNSET


class ChangeEvent(Told, kw_only=True):
    """What one block changed of it. Kinds of which it changed nothing are left out. `prev` is `seq` - 1."""

    prev: Seq
    books: list[BookChange] | UnsetType = UNSET
    trades: list[Trades] | UnsetType = UNSET
    candles: list[GrowingCandle] | UnsetType = UNSET
    accounts: list[AccountChange] | UnsetType = UNSET


class HeadEvent(Part, kw_only=True):
    """Where the database stands, and what the indexer last said of itself; null where it said nothing."""

    block: Block
    ts: Time | None
    lag: Count | None
    mode: str | None
    waiting_for: str | None


class ResetEvent(Part, kw_only=True):
    """What was told before no longer counts: a snapshot follows."""

    reason: Annotated[str, choice(*RESETS)]
