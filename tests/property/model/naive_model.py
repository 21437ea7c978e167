"""Naive model: a second, simple implementation of the protocol, used as the reference in tests.

It uses lists, sums, linear scans and exact fractions, and no index. It is written from the protocol's text and shares
only the events and the venue's dataclasses with `settlement.core`. Where the two differ, the protocol decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any

from settlement.core.events import Action, BlockHeader, Event, JsonNumber, Movement
from settlement.core.venue import PairRules, TokenRules, Venue

LARGEST = 2**63 - 1
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
# White space of ECMAScript.
WHITE = {9, 10, 11, 12, 13, 32, 160, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
WHITE.add(0xFEFF)


class Reject(Exception):
    """The action is rejected with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# ---------------------------------------------------------------- text and numbers (sections 1, 3, 9)


def encoded(text: str) -> str:
    """Free text, percent-encoded."""
    if text == "-":
        return "%2D"
    letters = []
    for letter in text:
        if letter in UNRESERVED:
            letters.append(letter)
        else:
            letters += [f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass")]
    return "".join(letters)


def decimal(value: Any) -> Fraction:
    """Parse a decimal above zero: text, or a JSON number by its literal text."""
    if not isinstance(value, str) or not re.fullmatch(r"(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?", value):
        raise Reject("E_INPUT")
    if Fraction(value) == 0:
        raise Reject("E_INPUT")
    return Fraction(value)


def whole(value: Fraction, precision: int) -> int:
    """A decimal in units of 10^-precision."""
    units = value * Fraction(10) ** precision
    if units.denominator != 1:
        raise Reject("E_PRECISION")
    return int(units)


def quantity_of(literal: str) -> Fraction | None:
    """Parse a movement's quantity by value; None where it is no number in the accepted form."""
    letters = list(literal)
    while letters and ord(letters[0]) in WHITE:
        letters.pop(0)
    while letters and ord(letters[-1]) in WHITE:
        letters.pop()
    text = "".join(letters).removeprefix("+")
    mantissa, mark, power = text.replace("E", "e").partition("e")
    before, _, after = mantissa.partition(".")
    if not all(letter in "0123456789" for letter in before + after) or not before + after:
        return None
    exponent = 0
    if mark:
        digits = power[1:] if power[:1] in ("+", "-") else power
        if not digits or not all(letter in "0123456789" for letter in digits):
            return None
        exponent = int(digits.lstrip("0")[:3] or "0")
        if exponent > 30:
            return None
        if power.startswith("-"):
            exponent = -exponent
    number = 0
    for digit in before + after:  # int() rejects more than 4,300 digits
        number = number * 10 + "0123456789".index(digit)
    return Fraction(number) / 10 ** len(after) * Fraction(10) ** exponent


def credit_of(value: Fraction | None, precision: int) -> int | None:
    """Units of a quantity that can be credited: whole, from 1 to 2^63-1."""
    if value is None:
        return None
    units = value * Fraction(10) ** precision
    return int(units) if units.denominator == 1 and 1 <= units <= LARGEST else None


def is_account(text: str) -> bool:
    if not 3 <= len(text) <= 16:
        return False
    for segment in text.split("."):
        if len(segment) < 3 or segment[-1] == "-":
            return False
        if segment[0] not in "abcdefghijklmnopqrstuvwxyz":
            return False
        if any(letter not in "abcdefghijklmnopqrstuvwxyz0123456789-" for letter in segment):
            return False
    return True


def is_symbol(text: str) -> bool:
    parts = text.split(".")
    return len(parts) <= 2 and all(
        1 <= len(part) <= 10 and all("A" <= letter <= "Z" for letter in part) for part in parts
    )


# ---------------------------------------------------------------- reading a payload


class Payload:
    """Payload reader: a bad field raises E_INPUT at once."""

    def __init__(self, payload: Any) -> None:
        if not isinstance(payload, dict):
            raise Reject("E_INPUT")
        self.payload = payload
        if "ref" in payload:
            self.text("ref", lambda text: re.fullmatch(r"[A-Za-z0-9_.\-]{1,32}", text) is not None)

    def __contains__(self, key: str) -> bool:
        return key in self.payload

    def need(self, condition: bool) -> None:
        if not condition:
            raise Reject("E_INPUT")

    def text(self, key: str, rule: Any = lambda _: True) -> str:
        value = self.payload.get(key)
        self.need(isinstance(value, str) and not isinstance(value, JsonNumber) and rule(value))
        return value

    def one_of(self, key: str, *choices: str, default: str | None = None) -> str | None:
        if key not in self.payload:
            self.need(default is not None)
            return default
        return self.text(key, lambda text: text in choices)

    def optional(self, key: str, *choices: str) -> str | None:
        return self.text(key, lambda text: text in choices) if key in self.payload else None

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.payload.get(key)
        self.need(isinstance(value, JsonNumber) and value != "-0")
        self.need(re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", value) is not None)
        self.need(low <= int(value) <= high)
        return int(value)

    def flag(self, key: str) -> bool:
        value = self.payload.get(key, False)
        self.need(isinstance(value, bool))
        return value

    def amount(self, key: str) -> Fraction:
        return decimal(self.payload.get(key))


# ---------------------------------------------------------------- state


@dataclass
class NaiveOrder:
    """A resting limit order, or an incoming order while it is matched."""

    id: str
    account: str
    pair: NaivePair
    buys: bool
    market: bool
    price: int | None
    quantity: int
    expiry: int | None
    wallet: bool
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


@dataclass
class NaiveWithdrawal:
    id: str
    account: str
    symbol: str
    amount: int
    to: str
    memo: str | None


@dataclass
class NaiveRefund:
    id: str
    account: str
    chain: str
    symbol: str
    literal: str
    escrow: str


@dataclass
class NaiveBalance:
    available: int = 0
    locked: int = 0
    withdrawing: int = 0


@dataclass
class NaiveModel:
    """State and rules: begin a block, apply its events one by one, end it. `lines` is the block's journal."""

    venue: Venue
    tokens: dict[str, TokenRules] = field(default_factory=dict)
    pairs: list[NaivePair] = field(default_factory=list)
    balances: dict[tuple[str, str], NaiveBalance] = field(default_factory=dict)
    orders: list[NaiveOrder] = field(default_factory=list)
    withdrawals: list[NaiveWithdrawal] = field(default_factory=list)
    refunds: list[NaiveRefund] = field(default_factory=list)
    holdings: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    orders_so_far: int = 0
    trades_so_far: int = 0

    def __post_init__(self) -> None:
        self.max_open_orders = self.venue.max_open_orders
        self.fee_account = self.venue.fee_account
        self.journal_hash = self.venue.hash
        self.header = BlockHeader(0, "-", 0)
        for token in self.venue.tokens:
            self.tokens[token.symbol] = token
        for pair in self.venue.pairs:
            self.pairs.append(naive_pair(pair))

    # ------------------------------------------------------------ blocks (sections 3, 6, 9)

    def apply(self, header: BlockHeader, events: Iterable[Event] = ()) -> list[str]:
        self.begin_block(header)
        for event in events:
            self.apply_event(event)
        return self.end_block()

    def begin_block(self, header: BlockHeader) -> None:
        self.header = header
        self.lines = []
        due = [
            order for order in self.orders if order.expiry is not None and order.expiry <= header.timestamp
        ]
        for order in sorted(due, key=lambda order: (order.expiry, order.seq)):
            self.add_line(f"expire {order.id}")
            self.close(order, "expired")

    def apply_event(self, event: Event) -> None:
        if isinstance(event, Movement):
            self.movement(event)
            return
        try:
            self.action(event)
        except Reject as reject:
            plain = isinstance(event.name, str) and not isinstance(event.name, JsonNumber)
            word = event.name if plain and re.fullmatch("[A-Za-z]{1,32}", str(event.name)) else "-"
            self.add_line(f"reject {event.id} {event.signer} {word} {reject.code}")

    def end_block(self) -> list[str]:
        if not self.lines:
            return []
        time = datetime.fromtimestamp(self.header.timestamp, UTC).replace(tzinfo=None).isoformat()
        self.lines.insert(0, f"block {self.header.number} {self.header.block_id} {time}")
        text = self.journal_hash + "\n" + "".join(line + "\n" for line in self.lines)
        self.journal_hash = sha256(text.encode()).hexdigest()
        return self.lines

    def add_line(self, line: str) -> None:
        self.lines.append(line)

    def state_lines(self) -> list[str]:
        lines = [
            "peakedex-state 1",
            f"venue {self.venue.hash}",
            f"block {self.header.number} {self.header.block_id}",
        ]
        rows = [(encoded(account), symbol, held) for (account, symbol), held in self.balances.items()]
        for account, symbol, held in sorted(rows, key=lambda row: row[:2]):
            if held != NaiveBalance():
                lines.append(f"balance {account} {symbol} {held.available} {held.locked} {held.withdrawing}")
        for o in sorted(self.orders, key=lambda order: order.seq):
            side = "buy" if o.buys else "sell"
            lines.append(
                f"order {o.seq} {o.id} {o.account} {o.pair.name} {side} {o.price} {o.remaining} "
                f"{o.locked} {o.expiry}"
            )
        for w in self.withdrawals:
            memo = "-" if w.memo is None else encoded(w.memo)
            lines.append(f"withdrawal {w.id} {encoded(w.account)} {w.symbol} {w.amount} {w.to} {memo}")
        for r in self.refunds:
            lines.append(
                f"refund {r.id} {encoded(r.account)} {encoded(r.symbol)} {encoded(r.literal)} {r.escrow}"
            )
        for symbol, units in sorted(self.holdings.items()):
            if units:
                lines.append(f"escrow {symbol} {units}")
        return lines

    # ------------------------------------------------------------ balances

    def balance(self, account: str, symbol: str) -> NaiveBalance:
        return self.balances.setdefault((account, symbol), NaiveBalance())

    def total(self, symbol: str) -> int:
        """Liabilities of a token over all accounts and buckets."""
        return sum(
            held.available + held.locked + held.withdrawing
            for (_, of), held in self.balances.items()
            if of == symbol
        )

    def escrows(self) -> set[str]:
        return {token.escrow for token in self.tokens.values()}

    # ------------------------------------------------------------ custody (section 7)

    def movement(self, m: Movement) -> None:
        token = self.tokens.get(m.symbol)
        if token is not None and token.chain != m.chain:
            token = None
        value = quantity_of(m.quantity)
        units = None if token is None else credit_of(value, token.precision)
        if m.sender not in self.escrows():
            self.deposit(m, units)
        elif m.recipient in self.escrows():
            amount = encoded(m.quantity) if units is None else str(units)
            self.add_line(f"internal {m.id} {m.sender} {m.recipient} {encoded(m.symbol)} {amount}")
        else:
            self.outgoing(m, token, value, units)

    def deposit(self, m: Movement, units: int | None) -> None:
        if units is None or self.total(m.symbol) + units > LARGEST:
            self.refunds.append(NaiveRefund(m.id, m.sender, m.chain, m.symbol, m.quantity, m.recipient))
            self.add_line(
                f"refund {m.id} {encoded(m.sender)} {encoded(m.symbol)} {encoded(m.quantity)} {m.recipient}"
            )
            return
        self.balance(m.sender, m.symbol).available += units
        self.holdings[m.symbol] = self.holdings.get(m.symbol, 0) + units
        self.add_line(f"deposit {m.id} {encoded(m.sender)} {m.symbol} {units} {m.recipient}")

    def outgoing(
        self, m: Movement, token: TokenRules | None, value: Fraction | None, units: int | None
    ) -> None:
        for w in self.withdrawals:
            memo = f"peakedex:{w.id}" if w.memo is None else w.memo
            own_escrow = token is not None and m.sender == token.escrow
            if own_escrow and (w.symbol, w.amount, w.to, memo) == (m.symbol, units, m.recipient, m.memo):
                self.withdrawals.remove(w)
                self.balance(w.account, w.symbol).withdrawing -= w.amount
                self.holdings[w.symbol] -= w.amount
                self.add_line(f"paid {w.id} {m.id}")
                return
        for r in self.refunds:
            same_place = (r.chain, r.symbol, r.escrow, r.account) == (
                m.chain,
                m.symbol,
                m.sender,
                m.recipient,
            )
            owed = quantity_of(r.literal)
            same_value = r.literal == m.quantity if owed is None else owed == value
            if same_place and same_value and m.memo == f"peakedex:{r.id}":
                self.refunds.remove(r)
                self.add_line(f"paid {r.id} {m.id}")
                return
        if token is not None and value is not None:
            lost = math.ceil(value * 10**token.precision)
            self.holdings[m.symbol] = self.holdings.get(m.symbol, 0) - lost
        self.add_line(
            f"outflow {m.id} {m.sender} {encoded(m.symbol)} {encoded(m.quantity)} {encoded(m.recipient)}"
        )

    def open_withdrawal(
        self, id_: str, account: str, symbol: str, amount: int, to: str, memo: str | None
    ) -> None:
        held = self.balance(account, symbol)
        held.available -= amount
        held.withdrawing += amount
        self.withdrawals.append(NaiveWithdrawal(id_, account, symbol, amount, to, memo))
        shown = "-" if memo is None else encoded(memo)
        self.add_line(f"withdraw {id_} {account} {symbol} {amount} {to} {shown}")

    # ------------------------------------------------------------ actions (sections 4 and 8)

    def action(self, a: Action) -> None:
        payload = Payload(a.payload)
        if a.flat:
            self.flat(a, payload)
            return
        trader = {
            "buy": self.limit,
            "sell": self.limit,
            "marketBuy": self.market,
            "marketSell": self.market,
            "cancel": self.cancel,
            "cancelAll": self.cancel_all,
            "replace": self.replace,
            "withdraw": self.withdraw,
        }
        operator = {
            "listToken": self.list_token,
            "listPair": self.list_pair,
            "updatePair": self.update_pair,
            "updateVenue": self.update_venue,
            "checkpoint": self.checkpoint,
            "returnWithdrawal": self.return_withdrawal,
        }
        if not isinstance(a.name, str) or a.name not in {**trader, **operator}:
            raise Reject("E_INPUT")
        {**trader, **operator}[a.name](a, payload)

    def authority(self, a: Action) -> None:
        if not a.active:
            raise Reject("E_AUTH")

    def flat(self, a: Action, p: Payload) -> None:
        p.need(a.name in ("buy", "sell"))
        base, quote = p.text("base", is_symbol), p.text("quote", is_symbol)
        quantity, price = p.amount("amount"), p.amount("price")
        username = p.text("username") if "username" in p else a.signer
        self.authority(a)
        if username != a.signer:
            raise Reject("E_AUTH")
        self.enter_limit(a, self.find(base, quote), a.name == "buy", quantity, price)

    def limit(self, a: Action, p: Payload) -> None:
        symbol = p.text("symbol", is_symbol)
        quote = p.text("quote", is_symbol) if "quote" in p else None
        quantity, price = p.amount("quantity"), p.amount("price")
        life = p.integer("expiration", 1, 10**19 - 1) if "expiration" in p else None
        force = p.one_of("timeInForce", "GTC", "IOC", "FOK", default="GTC")
        post_only = p.flag("postOnly")
        wallet = p.one_of("settle", "venue", "wallet", default="venue") == "wallet"
        self.authority(a)
        pair = self.find(symbol, quote)
        self.enter_limit(a, pair, a.name == "buy", quantity, price, life, force, post_only, wallet)

    def market(self, a: Action, p: Payload) -> None:
        symbol = p.text("symbol", is_symbol)
        quote = p.text("quote", is_symbol) if "quote" in p else None
        quantity = p.amount("quantity")
        price = p.amount("price") if "price" in p else None
        wallet = p.one_of("settle", "venue", "wallet", default="venue") == "wallet"
        self.authority(a)
        pair = self.active(self.find(symbol, quote))
        buys = a.name == "marketBuy"
        if buys:
            units = whole(quantity, self.tokens[pair.quote].precision)
        else:
            units = self.base_units(pair, quantity)
        ticks = None if price is None else whole(price, pair.price_decimals)
        if units > LARGEST or (ticks is not None and ticks > LARGEST):
            raise Reject("E_RANGE")
        order = NaiveOrder(a.id, a.signer, pair, buys, True, ticks, units, None, wallet)
        self.enter(order, units, "IOC", False)

    def find(self, base: str, quote: str | None) -> NaivePair:
        if quote is None:
            quotes = [pair.quote for pair in self.pairs if pair.base == base]
            quote = quotes[0] if len(quotes) == 1 else "SWAP.HIVE"
        for pair in self.pairs:
            if (pair.base, pair.quote) == (base, quote):
                return pair
        raise Reject("E_PAIR")

    def active(self, pair: NaivePair) -> NaivePair:
        if pair.status != "active":
            raise Reject("E_PAUSED")
        return pair

    def base_units(self, pair: NaivePair, quantity: Fraction) -> int:
        whole(quantity, pair.quantity_decimals)  # lots
        return whole(quantity, self.tokens[pair.base].precision)

    def value(self, pair: NaivePair, price: int, quantity: int) -> int:
        """Quote units of a base quantity at a price; exact for a valid pair."""
        per_base = Fraction(price, 10**pair.price_decimals)
        base = Fraction(quantity, 10 ** self.tokens[pair.base].precision)
        units = per_base * base * 10 ** self.tokens[pair.quote].precision
        assert units.denominator == 1
        return int(units)

    def enter_limit(
        self,
        a: Action,
        pair: NaivePair,
        buys: bool,
        quantity: Fraction,
        price: Fraction,
        life: int | None = None,
        force: str | None = "GTC",
        post_only: bool = False,
        wallet: bool = False,
        replaced: NaiveOrder | None = None,
    ) -> None:
        """Remaining checks of a new limit order, then matching. `replaced` is cancelled when it is accepted."""
        self.active(pair)
        units = self.base_units(pair, quantity)
        ticks = whole(price, pair.price_decimals)
        lock = self.value(pair, ticks, units) if buys else units
        if max(units, ticks, lock) > LARGEST:
            raise Reject("E_RANGE")
        mine = [order for order in self.orders if order.account == a.signer and order is not replaced]
        if len(mine) >= self.max_open_orders:
            raise Reject("E_LIMIT")
        lifetime = self.venue.order_lifetime
        expiry = self.header.timestamp + min(lifetime if life is None else life, lifetime)
        order = NaiveOrder(a.id, a.signer, pair, buys, False, ticks, units, expiry, wallet)
        self.enter(order, lock, str(force), post_only, replaced)

    # ------------------------------------------------------------ matching (section 5)

    def enter(
        self,
        order: NaiveOrder,
        lock: int,
        force: str,
        post_only: bool,
        replaced: NaiveOrder | None = None,
    ) -> None:
        """Plan the whole match, reject if the plan demands it, then carry it out."""
        order.remaining = order.quantity
        plan, end = self.plan(order)
        traded = sum(quantity for _, quantity, _ in plan)
        if post_only and (traded or end == "self"):
            raise Reject("E_POST_ONLY")
        if force == "FOK" and traded < order.quantity:
            raise Reject("E_FOK")
        if end == "self" and not traded:
            raise Reject("E_SELF_TRADE")
        if (order.market or force == "IOC") and not traded:
            raise Reject("E_NO_LIQUIDITY")
        held = self.balance(order.account, order.gives)
        if lock > held.available + (replaced.locked if replaced else 0):
            raise Reject("E_FUNDS")
        if replaced is not None:
            self.release_and_remove(replaced, "cancelled")
        self.orders_so_far += 1
        order.seq = self.orders_so_far
        order.locked = lock
        held.available -= lock
        held.locked += lock
        if replaced is not None:
            self.settle(replaced)
        self.add_line(
            f"order {order.id} {order.seq} {order.account} {order.pair.name} "
            f"{'buy' if order.buys else 'sell'} {'market' if order.market else 'limit'} "
            f"{'-' if order.price is None else order.price} {order.quantity} "
            f"{'-' if order.expiry is None else order.expiry}"
        )
        for maker, quantity, price in plan:
            if quantity:
                self.trade(order, maker, quantity, price)
            if maker.remaining == 0:
                self.close(maker, "filled")
            elif not quantity:
                self.close(maker, "cancelled")
        if end == "filled":
            self.close(order, "filled")
        elif end == "self" or order.market or force != "GTC":
            self.close(order, "cancelled")
        else:
            self.orders.append(order)

    def resting_against(self, order: NaiveOrder) -> list[NaiveOrder]:
        """The opposite side of the book in priority order."""
        others = [o for o in self.orders if o.pair is order.pair and o.buys != order.buys]
        sign = 1 if order.buys else -1
        return sorted(others, key=lambda o: (sign * (o.price or 0), o.seq))

    def plan(self, order: NaiveOrder) -> tuple[list[tuple[NaiveOrder, int, int]], str]:
        """The fills of an order: (resting order, quantity, price), with quantity 0 where a resting order of the same
        account is cancelled; and what ends it: `filled`, `book` or `self`."""
        pair, steps, left = order.pair, [], order.quantity
        for maker in self.resting_against(order):
            if left == 0:
                return steps, "filled"
            assert maker.price is not None
            crosses = order.price is None or (
                maker.price <= order.price if order.buys else maker.price >= order.price
            )
            if not crosses:
                return steps, "book"
            price = self.price_between(order, maker)
            wanted = left
            if order.market and order.buys:  # `left` is what remains of the budget
                one_lot = 10 ** (self.tokens[pair.base].precision - pair.quantity_decimals)
                wanted = left // self.value(pair, price, one_lot) * one_lot
                if wanted == 0:
                    return steps, "filled"
            if maker.account == order.account and pair.self_trade == "cancel_incoming":
                return steps, "self"
            if maker.account == order.account and pair.self_trade == "cancel_resting":
                steps.append((maker, 0, price))
                continue
            quantity = min(wanted, maker.remaining)
            steps.append((maker, quantity, price))
            left -= self.value(pair, price, quantity) if order.market and order.buys else quantity
            if quantity < maker.remaining:  # nothing is left, or too little for one more lot at this price
                return steps, "filled"
        return steps, "filled" if left == 0 else "book"

    def price_between(self, taker: NaiveOrder, maker: NaiveOrder) -> int:
        assert maker.price is not None
        if taker.price is None:
            return maker.price
        bid, ask = (taker.price, maker.price) if taker.buys else (maker.price, taker.price)
        prices = {"maker": maker.price, "bid": bid, "ask": ask, "midpoint": (bid + ask) // 2}
        return prices[taker.pair.price_policy]

    def trade(self, taker: NaiveOrder, maker: NaiveOrder, quantity: int, price: int) -> None:
        pair = taker.pair
        buyer, seller = (taker, maker) if taker.buys else (maker, taker)
        pay = self.value(pair, price, quantity)
        fees = {taker.id: pair.taker_fee_bps, maker.id: pair.maker_fee_bps}
        buyer_fee = quantity * fees[buyer.id] // 10000
        seller_fee = pay * fees[seller.id] // 10000
        for order, gives, gets, fee in (
            (seller, quantity, pay, seller_fee),
            (buyer, pay, quantity, buyer_fee),
        ):
            order.locked -= gives
            order.received += gets - fee
            self.balance(order.account, order.gives).locked -= gives
            self.balance(order.account, order.gets).available += gets - fee
            self.balance(self.fee_account, order.gets).available += fee
        if not buyer.market:
            assert buyer.price is not None
            self.release(buyer, self.value(pair, buyer.price, quantity) - pay)
        buyer.remaining -= pay if buyer.market else quantity
        seller.remaining -= quantity
        self.trades_so_far += 1
        self.add_line(
            f"trade {self.trades_so_far} {taker.id} {maker.id} {buyer.account} {seller.account} "
            f"{pair.name} {price} {quantity} {pay} {buyer_fee} {seller_fee}"
        )

    def release(self, order: NaiveOrder, amount: int) -> None:
        order.locked -= amount
        order.released += amount
        held = self.balance(order.account, order.gives)
        held.locked -= amount
        held.available += amount

    # ------------------------------------------------------------ the end of an order (sections 5, 6)

    def close(self, order: NaiveOrder, status: str) -> None:
        self.release_and_remove(order, status)
        self.settle(order)

    def release_and_remove(self, order: NaiveOrder, status: str) -> None:
        released = order.locked
        self.release(order, released)
        self.orders = [other for other in self.orders if other is not order]
        self.add_line(f"close {order.id} {status} {released}")

    def settle(self, order: NaiveOrder) -> None:
        if not order.wallet:
            return
        due = {order.gives: order.released, order.gets: order.received}
        for symbol, amount in sorted(due.items()):
            amount = min(amount, self.balance(order.account, symbol).available)
            if amount > 0:
                id_ = f"{order.id}#{symbol}"
                self.open_withdrawal(id_, order.account, symbol, amount, order.account, None)

    def own_order(self, a: Action, id_: str) -> NaiveOrder:
        for order in self.orders:
            if order.id == id_:
                if order.account != a.signer:
                    raise Reject("E_OWNER")
                return order
        raise Reject("E_NOT_FOUND")

    def cancel(self, a: Action, p: Payload) -> None:
        id_ = p.text("id")
        self.authority(a)
        self.close(self.own_order(a, id_), "cancelled")

    def cancel_all(self, a: Action, p: Payload) -> None:
        symbol = p.text("symbol", is_symbol) if "symbol" in p else None
        quote = p.text("quote", is_symbol) if "quote" in p else None
        self.authority(a)

        def fits(pair: NaivePair) -> bool:
            return symbol in (None, pair.base) and quote in (None, pair.quote)

        if (symbol or quote) and not any(fits(pair) for pair in self.pairs):
            raise Reject("E_PAIR")
        mine = [order for order in self.orders if order.account == a.signer and fits(order.pair)]
        for order in sorted(mine, key=lambda order: order.seq):
            self.close(order, "cancelled")

    def replace(self, a: Action, p: Payload) -> None:
        id_ = p.text("id")
        p.need("quantity" in p or "price" in p)
        quantity = p.amount("quantity") if "quantity" in p else None
        price = p.amount("price") if "price" in p else None
        self.authority(a)
        old = self.own_order(a, id_)
        if quantity is None:
            quantity = Fraction(old.remaining, 10 ** self.tokens[old.pair.base].precision)
        if price is None:
            price = Fraction(old.price or 0, 10**old.pair.price_decimals)
        self.enter_limit(a, old.pair, old.buys, quantity, price, wallet=old.wallet, replaced=old)

    def withdraw(self, a: Action, p: Payload) -> None:
        symbol = p.text("symbol", is_symbol)
        everything = p.payload.get("quantity") == "all"
        quantity = Fraction(0) if everything else p.amount("quantity")
        to = p.text("to", is_account) if "to" in p else a.signer
        memo = p.text("memo", is_memo) if "memo" in p else None
        p.need(to not in self.escrows())
        self.authority(a)
        if symbol not in self.tokens:
            raise Reject("E_TOKEN")
        available = self.balance(a.signer, symbol).available
        amount = available if everything else whole(quantity, self.tokens[symbol].precision)
        if amount > LARGEST:
            raise Reject("E_RANGE")
        if amount == 0 or amount > available:
            raise Reject("E_FUNDS")
        self.open_withdrawal(a.id, a.signer, symbol, amount, to, memo)

    # ------------------------------------------------------------ the operator (section 8)

    def operator(self, a: Action) -> None:
        if not a.active or a.signer != self.venue.operator:
            raise Reject("E_AUTH")

    def accept(self, a: Action) -> None:
        self.add_line(f"operator {a.id} {a.name}")

    def list_token(self, a: Action, p: Payload) -> None:
        symbol, precision = p.text("symbol", is_symbol), p.integer("precision", 0, 8)
        chain = p.one_of("chain", "hive", "hive-engine")
        escrow = p.text("escrow", is_account)
        self.operator(a)
        native = symbol in ("HIVE", "HBD")
        possible = (native and precision == 3) if chain == "hive" else not native
        if symbol in self.tokens or not possible:
            raise Reject("E_TOKEN")
        self.accept(a)
        self.tokens[symbol] = TokenRules(symbol, precision, str(chain), escrow)

    def list_pair(self, a: Action, p: Payload) -> None:
        base, quote = p.text("symbol", is_symbol), p.text("quote", is_symbol)
        price_decimals = p.integer("priceDecimals", 0, 18)
        quantity_decimals = p.integer("quantityDecimals", -12, 10**19 - 1)
        maker = p.integer("makerFeeBps", 0, 1000) if "makerFeeBps" in p else 0
        taker = p.integer("takerFeeBps", 0, 1000) if "takerFeeBps" in p else 0
        policy = p.one_of("pricePolicy", "maker", "ask", "bid", "midpoint", default="maker")
        own = p.one_of("selfTrade", "cancel_resting", "cancel_incoming", "allow", default="cancel_resting")
        p.need(base != quote)
        self.operator(a)
        if base not in self.tokens or quote not in self.tokens:
            raise Reject("E_TOKEN")
        if any((pair.base, pair.quote) == (base, quote) for pair in self.pairs):
            raise Reject("E_PAIR")
        p.need(quantity_decimals <= self.tokens[base].precision)
        p.need(price_decimals + quantity_decimals <= self.tokens[quote].precision)
        self.accept(a)
        self.pairs.append(
            NaivePair(
                base, quote, price_decimals, quantity_decimals, maker, taker, str(policy), str(own), "active"
            )
        )

    def update_pair(self, a: Action, p: Payload) -> None:
        base, quote = p.text("symbol", is_symbol), p.text("quote", is_symbol)
        maker = p.integer("makerFeeBps", 0, 1000) if "makerFeeBps" in p else None
        taker = p.integer("takerFeeBps", 0, 1000) if "takerFeeBps" in p else None
        policy = p.optional("pricePolicy", "maker", "ask", "bid", "midpoint")
        own = p.optional("selfTrade", "cancel_resting", "cancel_incoming", "allow")
        status = p.optional("status", "active", "paused", "closed")
        self.operator(a)
        pair = self.find(base, quote)
        if pair.status == "closed":
            raise Reject("E_PAUSED")
        self.accept(a)
        if maker is not None:
            pair.maker_fee_bps = maker
        if taker is not None:
            pair.taker_fee_bps = taker
        if policy is not None:
            pair.price_policy = policy
        if own is not None:
            pair.self_trade = own
        if status is not None:
            pair.status = status
        if status == "closed":
            for order in sorted(self.orders, key=lambda order: order.seq):
                if order.pair is pair:
                    self.close(order, "cancelled")

    def update_venue(self, a: Action, p: Payload) -> None:
        most = p.integer("maxOpenOrders", 1, 10000) if "maxOpenOrders" in p else None
        fees = p.text("feeAccount", is_account) if "feeAccount" in p else None
        self.operator(a)
        self.accept(a)
        self.max_open_orders = self.max_open_orders if most is None else most
        self.fee_account = self.fee_account if fees is None else fees

    def checkpoint(self, a: Action, p: Payload) -> None:
        block = p.integer("block", 0, 10**19 - 1)
        for key in ("stateHash", "journalHash"):
            p.text(key, lambda text: re.fullmatch("[0-9a-f]{64}", text) is not None)
        self.operator(a)
        if block > LARGEST:
            raise Reject("E_RANGE")
        self.accept(a)

    def return_withdrawal(self, a: Action, p: Payload) -> None:
        id_ = p.text("id")
        self.operator(a)
        for w in self.withdrawals:
            if w.id == id_:
                self.accept(a)
                self.withdrawals.remove(w)
                held = self.balance(w.account, w.symbol)
                held.withdrawing -= w.amount
                held.available += w.amount
                self.add_line(f"return {w.id}")
                return
        raise Reject("E_NOT_FOUND")


def naive_pair(rules: PairRules) -> NaivePair:
    return NaivePair(
        rules.base,
        rules.quote,
        rules.price_decimals,
        rules.quantity_decimals,
        rules.maker_fee_bps,
        rules.taker_fee_bps,
        rules.price_policy,
        rules.self_trade,
        rules.status,
    )


def is_memo(text: str) -> bool:
    return 1 <= len(text) <= 256 and all(
        ord(letter) >= 32 and ord(letter) != 127 and not 0xD800 <= ord(letter) <= 0xDFFF for letter in text
    )
