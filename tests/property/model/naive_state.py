"""Naive state: the venue as lists of plain records, and the state text (protocol, section 11).

Part of the naive model; shares nothing with `settlement.core` but the events and the venue's fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256

from settlement.core.events import BlockHeader
from settlement.core.venue import Venue
from tests.property.model.naive_values import digits_of, encoded, or_dash


@dataclass
class NaiveToken:
    symbol: str
    precision: int
    escrow: str
    minimum: int  # units

    @property
    def chain(self) -> str:
        return "hive" if self.symbol in ("HIVE", "HBD") else "hive-engine"

    def line(self) -> str:
        return f"token {self.symbol} {self.precision} {self.escrow} {self.minimum}"


@dataclass
class NaivePair:
    base: str
    quote: str
    price_decimals: int
    quantity_decimals: int
    maker_fee_bps: int
    taker_fee_bps: int
    price_policy: str
    self_trade: str
    status: str

    @property
    def name(self) -> str:
        return f"{self.base}/{self.quote}"

    def line(self) -> str:
        return (
            f"pair {self.name} {self.price_decimals} {self.quantity_decimals} {self.maker_fee_bps} "
            f"{self.taker_fee_bps} {self.price_policy} {self.self_trade} {self.status}"
        )


@dataclass
class NaiveOrder:
    """An order, or what a stop will become. `trigger` and `above` make it a stop."""

    id: str
    account: str
    pair: NaivePair
    buys: bool
    market: bool
    price: int | None
    quantity: int
    expiry: int | None
    wallet: bool = False
    force: str = "GTC"
    post_only: bool = False
    stop_price: int | None = None
    stop_limit: int | None = None
    trigger: int | None = None
    above: bool = False
    fired_fee: int | None = None  # of a fired order: the taker fee at the acceptance of its stop or order
    maker_fee: int = 0
    taker_fee: int = 0
    seq: int = 0
    remaining: int = 0
    locked: int = 0
    received: int = 0
    released: int = 0

    @property
    def gives(self) -> str:
        return self.pair.quote if self.buys else self.pair.base

    @property
    def gets(self) -> str:
        return self.pair.base if self.buys else self.pair.quote

    @property
    def side(self) -> str:
        return "buy" if self.buys else "sell"

    @property
    def kind(self) -> str:
        return "market" if self.market else "limit"

    @property
    def action(self) -> str:
        return f"market{self.side.capitalize()}" if self.market else self.side


@dataclass
class NaiveWithdrawal:
    id: str
    account: str
    symbol: str
    amount: int
    to: str
    memo: str | None
    due: int | None = None  # when it goes back

    def line(self) -> str:
        memo = "-" if self.memo is None else encoded(self.memo)
        return f"{self.id} {encoded(self.account)} {self.symbol} {self.amount} {self.to} {memo}"


@dataclass
class NaiveRefund:
    id: str
    account: str
    symbol: str
    literal: str
    escrow: str

    def line(self) -> str:
        return f"refund {self.id} {encoded(self.account)} {self.symbol} {encoded(self.literal)} {self.escrow}"


@dataclass
class NaiveGrant:
    account: str
    to: str
    until: int
    band_bps: int
    pairs: list[str]
    per_day: dict[str, int]
    day: int | None = None
    used: dict[str, int] = field(default_factory=dict)

    def line(self) -> str:
        pairs = ",".join(sorted(self.pairs))
        return f"grant {self.account} {self.to} {self.until} {self.band_bps} {pairs} {amounts(self.per_day)}"


@dataclass
class NaiveTimer:
    account: str
    by: str
    due: int


@dataclass
class NaiveTrade:
    """What the mark counts of a trade between two accounts."""

    block: int
    pair: str
    base: int
    quote: int


@dataclass
class NaiveBalance:
    available: int = 0
    locked: int = 0
    withdrawing: int = 0


@dataclass
class NaiveState:
    """The venue between two events. `lines` is the block's journal so far."""

    venue: Venue
    tokens: dict[str, NaiveToken] = field(default_factory=dict)
    pairs: list[NaivePair] = field(default_factory=list)
    balances: dict[tuple[str, str], NaiveBalance] = field(default_factory=dict)
    orders: list[NaiveOrder] = field(default_factory=list)
    stops: list[NaiveOrder] = field(default_factory=list)
    withdrawals: list[NaiveWithdrawal] = field(default_factory=list)
    refunds: list[NaiveRefund] = field(default_factory=list)
    grants: list[NaiveGrant] = field(default_factory=list)
    timers: list[NaiveTimer] = field(default_factory=list)
    trades: list[NaiveTrade] = field(default_factory=list)
    holdings: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    upgrade: tuple[int, str, int] | None = None
    lines: list[str] = field(default_factory=list)
    seq: int = 0
    trade_number: int = 0

    def __post_init__(self) -> None:
        venue = self.venue
        self.max_open_orders = venue.max_open_orders
        self.fee_account = venue.fee_account
        for token in venue.tokens:
            self.tokens[token.symbol] = NaiveToken(
                token.symbol, token.precision, token.escrow, token.min_withdrawal
            )
        self.escrows = {token.escrow for token in venue.tokens}
        for pair in venue.pairs:
            self.pairs.append(
                NaivePair(
                    pair.base,
                    pair.quote,
                    pair.price_decimals,
                    pair.quantity_decimals,
                    pair.maker_fee_bps,
                    pair.taker_fee_bps,
                    pair.price_policy,
                    pair.self_trade,
                    pair.status,
                )
            )
        self.venue_hash = sha256(self.venue_text().encode()).hexdigest()
        self.journal_hash = self.venue_hash
        self.header = BlockHeader(0, "-", 0)
        self.fired: dict[str, int] = {}  # in this block, by pair
        self.to_fire: set[str] = set()  # pairs that traded or became active in this block

    def venue_text(self) -> str:
        venue = self.venue
        head = [
            "peakedex-venue 2",
            f"contract {venue.contract}",
            f"custom_json_id {venue.custom_json_id}",
            f"start_block {venue.start_block}",
            f"operator {venue.operator}",
            f"checkpoint_account {venue.checkpoint_account}",
            f"fee_account {venue.fee_account}",
            f"max_open_orders {venue.max_open_orders}",
            f"order_lifetime {venue.order_lifetime}",
            f"accept_flat_intents {str(venue.accept_flat_intents).lower()}",
        ]
        return "".join(line + "\n" for line in [*head, *self.listings()])

    def listings(self) -> list[str]:
        tokens = [self.tokens[symbol].line() for symbol in sorted(self.tokens)]
        return tokens + [pair.line() for pair in sorted(self.pairs, key=lambda pair: pair.name)]

    def add_line(self, line: str) -> None:
        self.lines.append(line)

    @property
    def now(self) -> int:
        return self.header.timestamp

    # ------------------------------------------------------------ sums

    def balance(self, account: str, symbol: str) -> NaiveBalance:
        return self.balances.setdefault((account, symbol), NaiveBalance())

    def total(self, symbol: str) -> int:
        """Liabilities of a token over all accounts and buckets."""
        return sum(
            held.available + held.locked + held.withdrawing
            for (_, of), held in self.balances.items()
            if of == symbol
        )

    def change_holdings(self, symbol: str, units: int) -> None:
        self.holdings[symbol] = self.holdings.get(symbol, 0) + units

    def window(self, pair: NaivePair) -> list[NaiveTrade]:
        """The sums of the last ten blocks with a trade that counts, oldest first."""
        mine = [trade for trade in self.trades if trade.pair == pair.name]
        blocks = sorted({trade.block for trade in mine})[-10:]
        return [
            NaiveTrade(
                block,
                pair.name,
                sum(trade.base for trade in mine if trade.block == block),
                sum(trade.quote for trade in mine if trade.block == block),
            )
            for block in blocks
        ]

    def mark(self, pair: NaivePair) -> Fraction | None:
        """Quote units for each base unit."""
        window = self.window(pair)
        if not window:
            return None
        return Fraction(sum(trade.quote for trade in window), sum(trade.base for trade in window))

    def price_of(self, pair: NaivePair, ticks: int) -> Fraction:
        """Quote units for each base unit at a price."""
        quote, base = self.tokens[pair.quote].precision, self.tokens[pair.base].precision
        return Fraction(ticks) * Fraction(10) ** (quote - pair.price_decimals - base)

    def value(self, pair: NaivePair, price: int, quantity: int) -> int:
        """Quote units of a base quantity at a price; exact for a valid pair."""
        units = self.price_of(pair, price) * quantity
        assert units.denominator == 1
        return int(units)

    # ------------------------------------------------------------ state text

    def state_lines(self) -> list[str]:
        time = iso(self.header.timestamp)
        lines = [
            "peakedex-state 2",
            f"venue {self.venue_hash}",
            f"block {self.header.number} {self.header.block_id} {time}",
            f"journal {self.journal_hash}",
            f"last {self.seq} {self.trade_number}",
            f"rules {self.max_open_orders} {self.fee_account}",
        ]
        if self.upgrade is not None:
            protocol, text, block = self.upgrade
            lines.append(f"upgrade {protocol} {text} {block}")
        lines += self.listings()
        rows = [(encoded(account), symbol, held) for (account, symbol), held in self.balances.items()]
        for account, symbol, held in sorted(rows, key=lambda row: row[:2]):
            if held != NaiveBalance():
                lines.append(f"balance {account} {symbol} {held.available} {held.locked} {held.withdrawing}")
        lines += [order_line(order) for order in sorted(self.orders, key=lambda order: order.seq)]
        lines += [stop_line(stop) for stop in sorted(self.stops, key=lambda stop: stop.seq)]
        for timer in sorted(self.timers, key=lambda timer: (timer.account, timer.by)):
            lines.append(f"timer {timer.account} {timer.by} {timer.due}")
        for grant in sorted(self.grants, key=lambda grant: (grant.account, grant.to)):
            used = amounts(grant.used) if grant.used else "-"
            lines.append(f"{grant.line()} {or_dash(grant.day)} {used}")
        lines += [f"withdrawal {w.line()} {or_dash(w.due)}" for w in self.withdrawals]
        lines += [refund.line() for refund in self.refunds]
        for pair in sorted(self.pairs, key=lambda pair: pair.name):
            for trade in self.window(pair):
                lines.append(f"mark {pair.name} {trade.block} {trade.base} {trade.quote}")
        lines += [f"left {name}" for name in sorted(self.left)]
        for symbol in sorted(self.tokens):
            units = self.holdings.get(symbol, 0)
            if units or self.total(symbol):
                lines.append(f"escrow {symbol} {digits_of(units)}")
        return lines


def iso(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None).isoformat()


def amounts(units: dict[str, int]) -> str:
    return ",".join(f"{symbol}:{units[symbol]}" for symbol in sorted(units))


def order_line(o: NaiveOrder) -> str:
    return (
        f"order {o.seq} {o.id} {o.account} {o.pair.name} {o.side} {o.price} {o.quantity} {o.remaining} {o.locked} "
        f"{o.received} {o.released} {o.expiry} {o.maker_fee} {o.taker_fee} {'wallet' if o.wallet else 'venue'} "
        f"{or_dash(o.stop_price)} {or_dash(o.stop_limit)}"
    )


def stop_line(s: NaiveOrder) -> str:
    return (
        f"stop {s.seq} {s.id} {s.account} {s.pair.name} {s.side} {s.kind} {or_dash(s.price)} {s.quantity} {s.locked} "
        f"{s.expiry} {s.taker_fee} {'above' if s.above else 'below'} {s.trigger} {s.force} "
        f"{'post' if s.post_only else '-'}"
    )
