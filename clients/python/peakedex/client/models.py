"""Typed answers of the read API: amounts and prices are Decimals, times are datetimes in UTC.

Fields are those of docs/api.md; new ones of a later server are ignored.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

Side = Literal["buy", "sell"]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers."""


class Token(Model, frozen=True, kw_only=True):
    """A listed token. Deposits count only in its own `escrow` account."""

    symbol: str
    precision: int
    chain: str
    escrow: str
    min_withdrawal: Decimal


class PairRules(Model, frozen=True, kw_only=True):
    """Rules of a pair. A price has `price_decimals`, a quantity is a multiple of 10^-`quantity_decimals`."""

    base: str
    quote: str
    status: str
    price_decimals: int
    quantity_decimals: int
    maker_fee_bps: int
    taker_fee_bps: int
    price_policy: str
    self_trade: str

    @property
    def name(self) -> str:
        """Such as `PEK/SWAP.HIVE`."""
        return f"{self.base}/{self.quote}"

    @property
    def tick(self) -> Decimal:
        """The smallest step of a price."""
        return Decimal(1).scaleb(-self.price_decimals)

    @property
    def lot(self) -> Decimal:
        """The smallest step of a quantity of base."""
        return Decimal(1).scaleb(-self.quantity_decimals)


class Venue(Model, frozen=True, kw_only=True):
    """Rules of the venue, with what was listed or changed since it opened."""

    block: int
    network: str
    name: str
    protocol: int
    venue_hash: str
    contract: str
    custom_json_id: str
    operator: str
    fee_account: str
    escrows: list[str]
    max_open_orders: int
    order_lifetime: int
    tokens: list[Token]
    pairs: list[PairRules]

    def token(self, symbol: str) -> Token | None:
        """The listed token of that symbol."""
        return next((token for token in self.tokens if token.symbol == symbol), None)

    def pair(self, base: str, quote: str) -> PairRules | None:
        """The pair of that base and quote."""
        return next((pair for pair in self.pairs if (pair.base, pair.quote) == (base, quote)), None)


class Pair(PairRules, frozen=True, kw_only=True):
    """A pair with its prices and its statistics of the last 24 hours."""

    mark: Decimal | None
    last_price: Decimal | None
    best_bid: Decimal | None
    best_ask: Decimal | None
    change_24h_percent: Decimal | None
    high_24h: Decimal | None
    low_24h: Decimal | None
    base_volume_24h: Decimal
    quote_volume_24h: Decimal
    trades_24h: int


class Level(Model, frozen=True, kw_only=True):
    """The orders at one price: `amount` in base, `total` in quote."""

    price: Decimal
    amount: Decimal
    orders: int
    total: Decimal


class OrderBook(Model, frozen=True, kw_only=True):
    """The open orders of a pair by price, best first."""

    block: int
    ts: datetime | None
    base: str
    quote: str
    bids: list[Level]
    asks: list[Level]


class Trade(Model, frozen=True, kw_only=True):
    """A trade of a pair. `amount` is in base, `quote_amount` in quote."""

    id: int
    ts: datetime
    block: int
    price: Decimal
    amount: Decimal
    quote_amount: Decimal
    taker_side: Side
    taker_order: str
    maker_order: str
    buyer_fee: Decimal  # base
    seller_fee: Decimal  # quote


class AccountTrade(Trade, frozen=True, kw_only=True):
    """A trade of an account: the side and role of its order."""

    base: str
    quote: str
    side: Side
    role: Literal["taker", "maker", "both"]


class Candle(Model, frozen=True, kw_only=True):
    """OHLCV candle; `volume` is in base."""

    ts: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int


class Price(Model, frozen=True, kw_only=True):
    """The last price of a pair and its best bid and ask."""

    block: int
    base: str
    quote: str
    last: Decimal | None
    last_ts: datetime | None
    last_block: int | None
    bid: Decimal | None
    ask: Decimal | None
    mid: Decimal | None
    spread: Decimal | None


class Balance(Model, frozen=True, kw_only=True):
    """Balance of an account in one token."""

    symbol: str
    available: Decimal
    locked: Decimal
    withdrawing: Decimal
    total: Decimal


class Fired(Model, frozen=True, kw_only=True):
    """What became of a stop that fired: the id of the order, or why it was rejected."""

    order: str | None = None
    code: str | None = None
    error: str | None = None


class Order(Model, frozen=True, kw_only=True):
    """An order or a waiting stop. `quantity`, `remaining` and `filled` are in `quantity_symbol`."""

    id: str
    seq: int
    user: str
    base: str
    quote: str
    side: Side
    type: Literal["limit", "market"]
    status: str
    price: Decimal | None
    average_price: Decimal | None
    quantity: Decimal
    quantity_symbol: str
    remaining: Decimal
    filled: Decimal
    gives: str
    locked: Decimal
    released: Decimal
    gets: str
    received: Decimal
    fees: Decimal
    maker_fee_bps: int | None
    taker_fee_bps: int
    settle: str
    stop_price: Decimal | None
    stop_limit: Decimal | None
    trigger_price: Decimal | None
    trigger_when: str | None
    time_in_force: str | None
    post_only: bool | None
    fired: Fired | None
    stop_of: str | None
    by: str
    action: str
    ref: str | None
    ts: datetime
    block: int
    expires: datetime | None
    closed_ts: datetime | None
    closed_block: int | None

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book, or waits as a stop."""
        return self.status in ("open", "waiting")


class RejectedOrder(Model, frozen=True, kw_only=True):
    """An order that was rejected."""

    id: str
    user: str
    status: Literal["rejected"]
    action: str
    code: str
    error: str
    ref: str | None
    ts: datetime
    block: int


class OrderDetails(Model, frozen=True, kw_only=True):
    """An order with its newest trades. Where a stop fired, `order` is the order and `stop` the stop."""

    block: int
    order: Order
    stop: Order | None
    trades: list[Trade]
    next_cursor: str | None


class IntentResult(Model, frozen=True, kw_only=True):
    """What the venue decided about one intent: accepted, or rejected with a code and a sentence."""

    id: str
    user: str
    by: str | None
    action: str
    status: Literal["accepted", "rejected"]
    code: str | None
    error: str | None
    order: str | None
    fired: Fired | None
    ref: str | None
    ts: datetime
    block: int


class Deposit(Model, frozen=True, kw_only=True):
    """Something that an account sent to an escrow account."""

    id: str
    user: str
    chain: str
    symbol: str
    amount: str  # as it was sent: untrusted text where it is not credited
    escrow: str
    status: str
    ts: datetime
    block: int
    paid_by: str | None


class Withdrawal(Model, frozen=True, kw_only=True):
    """A withdrawal. Only the chain decides whether it is paid: see `status`."""

    id: str
    user: str
    symbol: str
    amount: Decimal
    to: str
    memo: str | None
    status: Literal["pending", "paid", "returned"]
    returning: bool
    return_due: datetime | None
    ts: datetime
    block: int
    paid_by: str | None
    closed_ts: datetime | None
    closed_block: int | None


class PairName(Model, frozen=True, kw_only=True):
    """Base and quote."""

    base: str
    quote: str


class Allowance(Model, frozen=True, kw_only=True):
    """What a grant's orders may lock of a token in a day (UTC)."""

    symbol: str
    per_day: Decimal
    used_today: Decimal
    left_today: Decimal


class Grant(Model, frozen=True, kw_only=True):
    """A grant in force: `to` may place and cancel orders of these pairs for `user`."""

    user: str
    to: str
    pairs: list[PairName]
    allowances: list[Allowance]
    band_bps: int
    until: datetime
    ts: datetime
    block: int


class Grants(Model, frozen=True, kw_only=True):
    """The grants that an account has given and received."""

    block: int
    given: list[Grant]
    received: list[Grant]
    next_cursor: str | None


class Timer(Model, frozen=True, kw_only=True):
    """An armed cancel-all timer; `by` is how it was signed."""

    by: str
    due: datetime
    ts: datetime
    block: int


class Health(Model, frozen=True, kw_only=True):
    """Position of the server."""

    block: int | None
    ts: datetime | None
    version: str
    network: str | None
    venue_hash: str | None
    warning: str | None
    alarms: list[str]
