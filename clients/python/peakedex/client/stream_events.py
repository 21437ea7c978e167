"""Typed events of the stream, see docs/api.md."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import field

from peakedex.client.models import (
    Balance,
    Candle,
    Deposit,
    Grant,
    Level,
    Model,
    Order,
    Timer,
    Trade,
    Withdrawal,
)


class BookChange(Model, frozen=True, kw_only=True):
    """Levels of a pair; in a change those that changed (amount 0: the level is gone)."""

    base: str
    quote: str
    bids: list[Level]
    asks: list[Level]


class PairTrades(Model, frozen=True, kw_only=True):
    """Trades of a pair, newest first."""

    base: str
    quote: str
    trades: list[Trade]


class CurrentCandle(Model, frozen=True, kw_only=True):
    """The newest candle of a pair; None before its first trade."""

    base: str
    quote: str
    interval: str
    candle: Candle | None


class AccountChange(Model, frozen=True, kw_only=True):
    """What changed of an account. `grants` and `timers` are None where they did not change."""

    user: str
    balances: list[Balance] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    deposits: list[Deposit] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    grants: list[Grant] | None = None
    timers: list[Timer] | None = None


class StreamEvent(Model, frozen=True, kw_only=True):
    """An event of the stream. `kind` is `snapshot` (the state), `change` (of one block), `head` or `reset`.

    After a `reset` what was received before is void, and a snapshot follows.
    """

    kind: Literal["snapshot", "change", "head", "reset"] = "head"
    seq: int | None = None
    prev: int | None = None
    block: int = 0
    ts: datetime | None = None
    books: list[BookChange] = field(default_factory=list)
    trades: list[PairTrades] = field(default_factory=list)
    candles: list[CurrentCandle] = field(default_factory=list)
    accounts: list[AccountChange] = field(default_factory=list)
    lag: int | None = None
    waiting_for: str | None = None
    reason: str | None = None
