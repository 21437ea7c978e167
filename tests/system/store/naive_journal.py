"""Naive interpreter of the journal: an auditor's ledger, computed line by line from the text.

It shares no code with the rules. Decimals of tokens and pairs and the fee account, which are not in the journal, are
parameters. It is deliberately simple: every query is a linear scan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Context, Decimal
from typing import NamedTuple

_EXACT = Context(prec=200)
MOST = 2**63 - 1


class NaivePair(NamedTuple):
    """Decimals of base, quote, price and quantity."""

    base: int
    quote: int
    price: int
    quantity: int

    def value(self, price: int, quantity: int) -> int:
        """Quote units of so many base units at so many ticks."""
        worth = Decimal(price).scaleb(-self.price) * Decimal(quantity).scaleb(-self.base, _EXACT)
        units = worth.scaleb(self.quote, _EXACT)
        assert units == int(units)
        return int(units)


@dataclass
class NaiveOrder:
    id: str
    seq: int
    account: str
    pair: str
    is_buy: bool
    market: bool
    price: int | None
    quantity: int
    expiry: int | None
    locked: int
    remaining: int
    received: int = 0
    released: int = 0
    status: str = "open"
    block: int = 0
    closed_block: int | None = None


class NaiveTrade(NamedTuple):
    n: int
    timestamp: int
    pair: str
    price: int
    quantity: int
    quote_amount: int


@dataclass
class NaiveJournal:
    """The ledger after the lines read so far."""

    precisions: Mapping[str, int]
    """Of every token that is ever listed, in the order of listing."""
    listed: int
    """How many of them the venue file lists."""
    pairs: Mapping[str, NaivePair]
    fee_account: str
    venue_hash: str
    block: str = "0 -"
    number: int = 0
    timestamp: int = 0
    held: defaultdict[tuple[str, str], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0])
    )
    holdings: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    orders: dict[str, NaiveOrder] = field(default_factory=dict)
    withdrawals: dict[str, str] = field(default_factory=dict)
    refunds: dict[str, str] = field(default_factory=dict)
    trades: list[NaiveTrade] = field(default_factory=list)

    def read(self, text: str) -> None:
        """The lines of one block, or of many."""
        for line in text.splitlines():
            kind, *words = line.split(" ")
            getattr(self, f"_{kind}")(*words)

    def _block(self, number: str, block_id: str, time: str) -> None:
        self.block, self.number = f"{number} {block_id}", int(number)
        self.timestamp = int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp())

    def _deposit(self, _: str, account: str, symbol: str, amount: str, escrow: str) -> None:
        self.held[account, symbol][0] += int(amount)
        self.holdings[symbol] += int(amount)

    def _refund(self, id_: str, *words: str) -> None:
        self.refunds[id_] = " ".join((id_, *words))

    def _order(
        self,
        id_: str,
        seq: str,
        account: str,
        pair: str,
        side: str,
        kind: str,
        price: str,
        quantity: str,
        expiry: str,
    ) -> None:
        is_buy, market = side == "buy", kind == "market"
        ticks = None if price == "-" else int(price)
        lock = int(quantity)
        if is_buy and not market:
            assert ticks is not None
            lock = self.pairs[pair].value(ticks, lock)
        order = NaiveOrder(
            *(id_, int(seq), account, pair, is_buy, market, ticks, int(quantity)),
            *(None if expiry == "-" else int(expiry), lock, int(quantity)),
            block=self.number,
        )
        self.orders[id_] = order
        self._move(account, self._gives(order), lock, 0, 1)

    def _gives(self, order: NaiveOrder) -> str:
        base, quote = order.pair.split("/")
        return quote if order.is_buy else base

    def _move(self, account: str, symbol: str, amount: int, out: int, into: int) -> None:
        held = self.held[account, symbol]
        held[out] -= amount
        held[into] += amount
        assert min(held) >= 0

    def _trade(
        self,
        n: str,
        taker_id: str,
        maker_id: str,
        buyer: str,
        seller: str,
        pair: str,
        price: str,
        quantity: str,
        quote: str,
        buyer_fee: str,
        seller_fee: str,
    ) -> None:
        base_symbol, quote_symbol = pair.split("/")
        taker, maker = self.orders[taker_id], self.orders[maker_id]
        bid, ask = (taker, maker) if taker.is_buy else (maker, taker)
        assert (bid.account, ask.account) == (buyer, seller)
        base_units, quote_units = int(quantity), int(quote)
        fees = int(buyer_fee), int(seller_fee)
        self.trades.append(NaiveTrade(int(n), self.timestamp, pair, int(price), base_units, quote_units))
        self._pay(bid, seller, quote_symbol, quote_units, fees[1])
        self._pay(ask, buyer, base_symbol, base_units, fees[0])
        bid.received = min(bid.received + base_units - fees[0], MOST)
        ask.received = min(ask.received + quote_units - fees[1], MOST)
        ask.remaining -= base_units
        bid.remaining -= quote_units if bid.market else base_units
        if not bid.market:
            assert bid.price is not None
            self._release(bid, self.pairs[pair].value(bid.price, base_units) - quote_units)

    def _pay(self, order: NaiveOrder, to: str, symbol: str, amount: int, fee: int) -> None:
        order.locked -= amount
        self.held[order.account, symbol][1] -= amount
        self.held[to, symbol][0] += amount - fee
        if fee:
            self.held[self.fee_account, symbol][0] += fee

    def _release(self, order: NaiveOrder, amount: int) -> None:
        order.locked -= amount
        order.released += amount
        self._move(order.account, self._gives(order), amount, 1, 0)

    def _close(self, id_: str, status: str, released: str) -> None:
        order = self.orders[id_]
        self._release(order, int(released))
        assert order.locked == 0
        order.status, order.closed_block = status, self.number

    def _withdraw(self, id_: str, account: str, symbol: str, amount: str, *words: str) -> None:
        self._move(account, symbol, int(amount), 0, 2)
        self.withdrawals[id_] = " ".join((id_, account, symbol, amount, *words))

    def _paid(self, id_: str, _: str) -> None:
        if self.refunds.pop(id_, None) is None:
            _, account, symbol, amount, *_ = self.withdrawals.pop(id_).split(" ")
            self.held[account, symbol][2] -= int(amount)
            self.holdings[symbol] -= int(amount)

    def _return(self, id_: str) -> None:
        _, account, symbol, amount, *_ = self.withdrawals.pop(id_).split(" ")
        self._move(account, symbol, int(amount), 2, 0)

    def _outflow(self, _: str, __: str, symbol: str, quantity: str, ___: str) -> None:
        if symbol in list(self.precisions)[: self.listed]:
            units = Decimal(quantity).scaleb(self.precisions[symbol], _EXACT)
            self.holdings[symbol] -= int(units.to_integral_value(ROUND_CEILING))

    def _operator(self, _: str, action: str) -> None:
        self.listed += action == "listToken"

    def _expire(self, _: str) -> None:
        """Nothing: its `close` line follows."""

    def _internal(self, *_: str) -> None:
        """Between two escrow accounts: the total holdings are unchanged."""

    def _reject(self, *_: str) -> None:
        """Nothing changed."""

    # ---------------------------------------------------------------- what is asked of it

    def open_orders(self) -> list[NaiveOrder]:
        """By sequence."""
        return [order for order in self.orders.values() if order.status == "open"]

    def book(self, pair: str, is_buy: bool) -> list[tuple[int, int, int]]:
        """Levels, best first: price, base units, orders."""
        levels: defaultdict[int, list[int]] = defaultdict(list)
        for order in self.open_orders():
            if (order.pair, order.is_buy) == (pair, is_buy):
                assert order.price is not None
                levels[order.price].append(order.remaining)
        return [(price, sum(levels[price]), len(levels[price])) for price in sorted(levels, reverse=is_buy)]

    def balances(self, account: str) -> list[tuple[str, int, int, int]]:
        """By symbol: available, locked, withdrawing."""
        return sorted(
            (symbol, *held) for (name, symbol), held in self.held.items() if name == account and any(held)
        )

    def state(self) -> str:
        """The state's text (protocol, section 9)."""
        lines = ["peakedex-state 1", f"venue {self.venue_hash}", f"block {self.block}"]
        for (account, symbol), held in sorted(self.held.items()):
            if any(held):
                lines.append(f"balance {account} {symbol} {held[0]} {held[1]} {held[2]}")
        for o in sorted(self.open_orders(), key=lambda order: order.seq):
            lines.append(
                f"order {o.seq} {o.id} {o.account} {o.pair} {'buy' if o.is_buy else 'sell'} {o.price} "
                f"{o.remaining} {o.locked} {o.expiry}"
            )
        lines.extend(f"withdrawal {text}" for text in self.withdrawals.values())
        lines.extend(f"refund {text}" for text in self.refunds.values())
        lines.extend(
            f"escrow {symbol} {self.holdings[symbol]}"
            for symbol in sorted(self.holdings)
            if self.holdings[symbol]
        )
        return "".join(f"{line}\n" for line in lines)
