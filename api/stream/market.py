"""The market played from the journal: what each block changed, and where everything stands after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from api.stream.books import Books, Level, Open, OutOfStep
from api.stream.candles import Candles, Latest
from api.stream.topics import Pair
from settlement.core.journal.text import chain_hash
from settlement.store.read.market.trades import TradeRow
from settlement.store.read.position import Past
from settlement.store.read.stream import OurBlock


class Claim(NamedTuple):
    """A pending withdrawal, or a refund due, by its number."""

    is_refund: bool
    n: int


class Credit(NamedTuple):
    """A deposit as its line tells it. Units, encoded names."""

    id: str
    account: str
    symbol: str
    amount: int
    escrow: str


@dataclass(slots=True)
class Facts:
    """What one block changed: levels by whether bids and price, orders by sequence, claims by number."""

    levels: dict[Pair, dict[tuple[bool, int], Level]] = field(default_factory=dict)
    trades: dict[Pair, list[TradeRow]] = field(default_factory=dict)
    candles: dict[Pair, Latest] = field(default_factory=dict)
    orders: set[int] = field(default_factory=set)
    credits: list[Credit] = field(default_factory=list)
    refunds: set[int] = field(default_factory=set)
    withdrawals: set[int] = field(default_factory=set)
    rules_changed: bool = False


class Market:
    """Books, growing candles and pending claims as of one block of ours. `at` is that block."""

    def __init__(self, at: Past) -> None:
        self.at = at
        self.books = Books()
        self.candles = Candles()
        self.claims: dict[str, Claim] = {}

    def play(self, block: OurBlock) -> Facts:
        """Go on by the next block. Raises OutOfStep where it does not follow, or contradicts what we hold."""
        old, new = self.at, block.past
        if new.n != old.n + 1 or chain_hash(old.journal_hash, block.lines) != new.journal_hash:
            raise OutOfStep(f"block {new.number} does not follow block {old.number}")
        playing = _Playing(self, new)
        for line in block.lines.splitlines():
            word, *fields = line.split(" ")
            act = _LINES.get(word)
            if act is not None:
                act(playing, fields)
        playing.finish()
        self.at = new
        return playing.facts


class _Playing:
    """One block in the making."""

    def __init__(self, market: Market, block: Past) -> None:
        self._market = market
        self._block = block
        self._withdrawal, self._refund = market.at.last_withdrawal, market.at.last_refund
        self.facts = Facts()

    def finish(self) -> None:
        """Note where things stand after the block, and hold the counters against the database's."""
        block, facts, market = self._block, self.facts, self._market
        if (self._withdrawal, self._refund) != (block.last_withdrawal, block.last_refund):
            raise OutOfStep(f"the claims of block {block.number} are numbered otherwise in the database")
        for (pair, is_buy, price), level in market.books.take_changes().items():
            facts.levels.setdefault(pair, {})[is_buy, price] = level
        facts.candles = {pair: market.candles.of(pair) for pair in facts.trades}

    def order(self, fields: list[str]) -> None:
        order_id, seq, _, pair, side, kind, price, quantity, _ = fields
        order = Open(
            int(seq),
            _pair(pair),
            side == "buy",
            int(price) if kind == "limit" else None,
            int(quantity),
        )
        self._market.books.add(order_id, order)
        self.facts.orders.add(order.seq)

    def trade(self, fields: list[str]) -> None:
        n, taker_id, maker_id, _, _, name, *numbers = fields
        price, quantity, quote_amount, buyer_fee, seller_fee = map(int, numbers)
        block, books, pair = self._block, self._market.books, _pair(name)
        maker, taker = books.reduce(maker_id, quantity), books.reduce(taker_id, quantity)
        self.facts.orders.update((maker.seq, taker.seq))
        self._market.candles.trade(pair, block.timestamp, price, quantity, quote_amount)
        self.facts.trades.setdefault(pair, []).append(
            TradeRow(
                int(n),
                block.number,
                block.timestamp,
                taker.is_buy,
                price,
                quantity,
                quote_amount,
                buyer_fee,
                seller_fee,
                taker_id,
                maker_id,
            )
        )

    def close(self, fields: list[str]) -> None:
        self.facts.orders.add(self._market.books.remove(fields[0]).seq)

    def deposit(self, fields: list[str]) -> None:
        deposit_id, account, symbol, amount, escrow = fields
        self.facts.credits.append(Credit(deposit_id, account, symbol, int(amount), escrow))

    def refund(self, fields: list[str]) -> None:
        self._refund += 1
        self._claim(fields[0], Claim(True, self._refund))

    def withdraw(self, fields: list[str]) -> None:
        self._withdrawal += 1
        self._claim(fields[0], Claim(False, self._withdrawal))

    def settle(self, fields: list[str]) -> None:
        claim = self._market.claims.pop(fields[0], None)
        if claim is None:
            raise OutOfStep(f"no claim {fields[0]} is pending")
        self._claimed(claim)

    def operator(self, _fields: list[str]) -> None:
        self.facts.rules_changed = True

    def _claim(self, claim_id: str, claim: Claim) -> None:
        self._market.claims[claim_id] = claim
        self._claimed(claim)

    def _claimed(self, claim: Claim) -> None:
        (self.facts.refunds if claim.is_refund else self.facts.withdrawals).add(claim.n)


# The rest says nothing that a listener is told: an expired order has a `close` of its own.
_LINES: Final[Mapping[str, Callable[[_Playing, list[str]], None]]] = {
    "order": _Playing.order,
    "trade": _Playing.trade,
    "close": _Playing.close,
    "deposit": _Playing.deposit,
    "refund": _Playing.refund,
    "withdraw": _Playing.withdraw,
    "paid": _Playing.settle,
    "return": _Playing.settle,
    "operator": _Playing.operator,
}


def _pair(name: str) -> Pair:
    base, _, quote = name.partition("/")
    return Pair(base, quote)
