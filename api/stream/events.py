"""Bodies of the stream's events. OpenAPI's schemas are generated from these types.

The parts of an event are encoded once and assembled for each set of topics.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from api.http.formatting import Trade
from api.http.shapes import Block, Count, Hash, Part, Time, choice
from api.routes.accounts.balances import Balance
from api.routes.accounts.deposits import Deposit
from api.routes.accounts.grants import Grant
from api.routes.accounts.orders import Order
from api.routes.accounts.timers import Timer
from api.routes.accounts.withdrawals import Withdrawal
from api.routes.market.candles import Candle
from api.routes.market.orderbook import Level
from settlement.store.read.market.candles import INTERVALS

RESETS = ("too_old", "unknown", "started_anew")
Seq = Annotated[int, Meta(ge=0, description="Counts active blocks: 1, 2, 3 … without gaps.")]


class BookChange(Part, kw_only=True):
    """The levels that a block changed, as of its end. Amount 0: the level is empty."""

    base: str
    quote: str
    bids: list[Level]
    asks: list[Level]


class Book(BookChange, kw_only=True):
    """The levels of a pair, best first. `complete` is false if a side has more levels."""

    complete: bool


class Trades(Part, kw_only=True):
    """Trades of a pair, newest first."""

    base: str
    quote: str
    trades: list[Trade]


class CurrentCandle(Part, kw_only=True):
    """The candle of a pair's last trade; null before the first trade."""

    base: str
    quote: str
    interval: Annotated[str, choice(*INTERVALS)]
    candle: Candle | None


class AccountState(Part, kw_only=True):
    """Balances, open orders and waiting stops of an account, newest first; grants given and timers armed."""

    user: str
    balances: list[Balance]
    orders: list[Order]
    grants: list[Grant]
    timers: list[Timer]


class AccountChange(Part, kw_only=True):
    """Changed balances, orders and stops (also closed ones), deposits and withdrawals, as of the block's end.

    `grants` are all that the account has given, `timers` all that are armed: omitted unless one changed.
    """

    user: str
    balances: list[Balance]
    orders: list[Order]
    deposits: list[Deposit]
    withdrawals: list[Withdrawal]
    grants: list[Grant] | UnsetType = UNSET
    timers: list[Timer] | UnsetType = UNSET


class BlockEvent(Part, kw_only=True):
    """The last active block included in an event. Before the first, `block` is 0 and `ts` is null."""

    seq: Seq
    block: Block
    ts: Time | None
    journal_hash: Hash


class SnapshotEvent(BlockEvent, kw_only=True):
    """The current state of all topics. Kinds without a topic are omitted."""

    books: list[Book] | UnsetType = UNSET
    trades: list[Trades] | UnsetType = UNSET
    candles: list[CurrentCandle] | UnsetType = UNSET
    accounts: list[AccountState] | UnsetType = UNSET


class ChangeEvent(BlockEvent, kw_only=True):
    """What one block changed of the topics. Kinds without a change are omitted. `prev` is `seq` - 1."""

    prev: Seq
    books: list[BookChange] | UnsetType = UNSET
    trades: list[Trades] | UnsetType = UNSET
    candles: list[CurrentCandle] | UnsetType = UNSET
    accounts: list[AccountChange] | UnsetType = UNSET


class HeadEvent(Part, kw_only=True):
    """Position of the database, and the indexer's last status; null if it has reported none."""

    block: Block
    ts: Time | None
    lag: Count | None
    mode: str | None
    waiting_for: str | None


class ResetEvent(Part, kw_only=True):
    """Discard the state received so far: a snapshot follows."""

    reason: Annotated[str, choice(*RESETS)]
