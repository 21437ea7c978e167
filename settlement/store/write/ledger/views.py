"""What the ledger knows of tokens, pairs, balances, orders, payments, grants and timers.

Amounts are units, prices ticks, times Unix seconds. Numbers of accounts, tokens and pairs are the keys of
their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from settlement.core.journal import lines
from settlement.core.trading.mark import Mark


@dataclass(slots=True, eq=False)
class BalanceView:
    """What an account holds of a token."""

    account: int  # number of the account
    token: TokenView
    buckets: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # units, by bucket number
    block: int = 0  # the last block that changed it


@dataclass(slots=True, eq=False)
class TokenView:
    """A listed token."""

    number: int
    line: lines.Token
    holdings: int = 0
    totals: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # over all accounts, by bucket


@dataclass(slots=True, eq=False)
class PairView:
    """A listed pair, its price levels and its mark."""

    number: int
    line: lines.Pair
    base: TokenView
    quote: TokenView
    lot_units: int = field(init=False)  # base units of a lot
    lot_value: int = field(init=False)  # quote units of a lot at a price of one tick
    bids: dict[int, list[int]] = field(default_factory=dict)  # by price: base units, number of orders
    asks: dict[int, list[int]] = field(default_factory=dict)  # both empty unless the ledger tracks levels
    mark: Mark = field(default_factory=Mark)
    balances: dict[int, tuple[BalanceView, BalanceView]] = field(
        default_factory=dict
    )  # of base and quote, by number of the account, as far as orders asked for them

    def __post_init__(self) -> None:
        line = self.line
        self.lot_units = 10 ** (self.base.line.precision - line.quantity_decimals)
        self.lot_value = 10 ** (self.quote.line.precision - line.price_decimals - line.quantity_decimals)

    def value(self, price: int, quantity: int) -> int:
        """Quote units of `quantity` base units at `price` ticks."""
        return price * (quantity // self.lot_units) * self.lot_value


class StopTerms(NamedTuple):
    """What a stop has and an order has not."""

    trigger_price: int
    above: bool  # reached when the mark is at the trigger price or above it; else at it or below
    time_in_force: str
    post_only: bool


@dataclass(slots=True, eq=False, init=False)
class OrderView:
    """An order or stop, from its line to its close.

    It does not keep the line: each of its words would be a string of its own.
    """

    seq: int
    id: str
    account: int  # number of the account
    pair: PairView
    gives: BalanceView
    gets: BalanceView
    is_buy: bool
    market: bool
    price: int | None
    quantity: int
    expiry: int | None
    maker_fee_bps: int | None
    taker_fee_bps: int
    to_wallet: bool
    stop_price: int | None
    stop_limit: int | None
    stop: StopTerms | None  # None for an order
    remaining: int
    locked: int  # what it locks when it is opened, until it is changed
    intent: int  # number of the intent that placed it
    block: int  # in which it was accepted
    received: int
    released: int
    traded_base: int  # sum over its trades; likewise the next two
    traded_quote: int
    fees: int  # units of what it receives
    status: str
    fired_code: str | None  # why the order that it fired was rejected
    fired_seq: int | None  # sequence of the order that it fired

    # Written out, because mypyc does not compile the constructor of a dataclass.
    def __init__(
        self,
        seq: int,
        id: str,
        account: int,
        pair: PairView,
        balances: tuple[BalanceView, BalanceView],
        is_buy: bool,
        market: bool,
        price: int | None,
        quantity: int,
        expiry: int | None,
        maker_fee_bps: int | None,
        taker_fee_bps: int,
        to_wallet: bool,
        stop_price: int | None,
        stop_limit: int | None,
        stop: StopTerms | None,
    ) -> None:
        """`balances` are the account's, of the pair's base and quote."""
        base, quote = balances
        self.seq = seq
        self.id = id
        self.account = account
        self.pair = pair
        self.gives, self.gets = (quote, base) if is_buy else (base, quote)
        self.is_buy = is_buy
        self.market = market
        self.price = price
        self.quantity = self.remaining = self.locked = quantity
        self.expiry = expiry
        self.maker_fee_bps = maker_fee_bps
        self.taker_fee_bps = taker_fee_bps
        self.to_wallet = to_wallet
        self.stop_price = stop_price
        self.stop_limit = stop_limit
        self.stop = stop
        if is_buy and not market:
            assert price is not None
            self.locked = pair.value(price, quantity)
        self.intent = self.block = self.received = self.released = 0
        self.traded_base = self.traded_quote = self.fees = 0
        self.status = "open"
        self.fired_code = None
        self.fired_seq = None

    @property
    def is_stop(self) -> bool:
        return self.stop is not None

    @property
    def side(self) -> str:
        return "buy" if self.is_buy else "sell"


@dataclass(slots=True, eq=False)
class WithdrawalView:
    """A pending withdrawal."""

    n: int
    line: lines.Withdraw
    balance: BalanceView
    block: int  # in which it was opened
    returning: int | None = None  # when it is returned


@dataclass(slots=True, eq=False)
class RefundView:
    """A refund due."""

    n: int
    line: lines.Refund
    block: int


@dataclass(slots=True, eq=False)
class GrantView:
    """A grant, until it is revoked, replaced or has ended."""

    n: int
    line: lines.Grant
    block: int  # in which it was given
    day: int | None = None  # of the last order that counted: Unix seconds // 86400
    used: dict[str, int] = field(default_factory=dict)  # what was counted on that day, by symbol


@dataclass(slots=True, eq=False)
class TimerView:
    """A cancel-all timer."""

    n: int
    line: lines.Timer  # with a due time
    block: int  # in which it was set


@dataclass(slots=True, eq=False, init=False)
class IntentView:
    """An accepted or rejected action."""

    n: int
    id: str
    account: str
    by: str | None  # None if it was rejected
    action: str
    code: str | None
    ref: str | None
    seq: int | None  # the order or stop that it placed

    # Written out, because mypyc does not compile the constructor of a dataclass.
    def __init__(
        self,
        n: int,
        id: str,
        account: str,
        by: str | None,
        action: str,
        code: str | None,
        ref: str | None,
        seq: int | None = None,
    ) -> None:
        self.n = n
        self.id = id
        self.account = account
        self.by = by
        self.action = action
        self.code = code
        self.ref = ref
        self.seq = seq


def amounts_text(amounts: dict[str, int]) -> str:
    """Amounts by symbol as SYMBOL:units, comma between."""
    return ",".join(f"{symbol}:{units}" for symbol, units in sorted(amounts.items()))


def read_amounts(text: str | None) -> dict[str, int]:
    """The amounts of an `amounts_text`."""
    if not text:
        return {}
    return {symbol: int(units) for symbol, _, units in (entry.partition(":") for entry in text.split(","))}
