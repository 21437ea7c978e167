"""Replays journal lines block by block: what each block changed, and the market's state after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from api.stream.candles import CandleTracker, CurrentCandles
from api.stream.order_books import Level, OpenOrder, OrderBooks, OutOfSync
from api.stream.topics import Pair
from settlement.core.journal.lines import chain_hash
from settlement.store.read.market.trades import TradeRow
from settlement.store.read.position import ActiveBlock
from settlement.store.read.stream import StreamBlock


class PaymentKey(NamedTuple):
    """Key of a pending withdrawal or refund."""

    is_refund: bool
    n: int  # counts all withdrawals, or all refunds, of the venue


class DepositCredit(NamedTuple):
    """A `deposit` line."""

    id: str
    account: str  # encoded name
    symbol: str
    amount: int  # units
    escrow: str


@dataclass(slots=True)
class BlockChanges:
    """What one block changed."""

    levels: dict[Pair, dict[tuple[bool, int], Level]] = field(default_factory=dict)  # by (is_buy, price)
    trades: dict[Pair, list[TradeRow]] = field(default_factory=dict)
    candles: dict[Pair, CurrentCandles] = field(default_factory=dict)  # of pairs with trades
    orders: set[int] = field(default_factory=set)  # sequence numbers
    credits: list[DepositCredit] = field(default_factory=list)
    refunds: set[int] = field(default_factory=set)  # numbers
    withdrawals: set[int] = field(default_factory=set)  # numbers
    rules_changed: bool = False  # tokens or pairs


class MarketReplay:
    """Order books, current candles and pending payments after the active block `at`."""

    def __init__(self, at: ActiveBlock) -> None:
        self.at = at
        self.books = OrderBooks()
        self.candles = CandleTracker()
        self.payments: dict[str, PaymentKey] = {}

    def replay(self, block: StreamBlock) -> BlockChanges:
        """Apply the next active block. Raises OutOfSync if it does not follow, or contradicts the state."""
        old, new = self.at, block.past
        if new.n != old.n + 1 or chain_hash(old.journal_hash, block.lines) != new.journal_hash:
            raise OutOfSync(f"block {new.number} does not follow block {old.number}")
        replay = _BlockReplay(self, new)
        for line in block.lines.splitlines():
            kind, *fields = line.split(" ")
            apply = _LINES.get(kind)
            if apply is not None:
                apply(replay, fields)
        replay.finish()
        self.at = new
        return replay.changes


class _BlockReplay:
    """The replay of one block; a method for each kind of line."""

    def __init__(self, market: MarketReplay, block: ActiveBlock) -> None:
        self._market = market
        self._block = block
        self._withdrawal, self._refund = market.at.last_withdrawal, market.at.last_refund
        self.changes = BlockChanges()

    def finish(self) -> None:
        """Collect levels and candles, and compare the counters with the database's."""
        block, changes, market = self._block, self.changes, self._market
        if (self._withdrawal, self._refund) != (block.last_withdrawal, block.last_refund):
            raise OutOfSync(f"payments of block {block.number} have other numbers in the database")
        for (pair, is_buy, price), level in market.books.take_changes().items():
            changes.levels.setdefault(pair, {})[is_buy, price] = level
        changes.candles = {pair: market.candles.of(pair) for pair in changes.trades}

    def order(self, fields: list[str]) -> None:
        order_id, seq, _, pair, side, kind, price, quantity, _ = fields
        order = OpenOrder(
            int(seq),
            _read_pair(pair),
            side == "buy",
            int(price) if kind == "limit" else None,
            int(quantity),
        )
        self._market.books.add(order_id, order)
        self.changes.orders.add(order.seq)

    def trade(self, fields: list[str]) -> None:
        n, taker_id, maker_id, _, _, name, *numbers = fields
        price, quantity, quote_amount, buyer_fee, seller_fee = map(int, numbers)
        block, books, pair = self._block, self._market.books, _read_pair(name)
        maker, taker = books.reduce(maker_id, quantity), books.reduce(taker_id, quantity)
        self.changes.orders.update((maker.seq, taker.seq))
        self._market.candles.trade(pair, block.timestamp, price, quantity, quote_amount)
        self.changes.trades.setdefault(pair, []).append(
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
        self.changes.orders.add(self._market.books.remove(fields[0]).seq)

    def deposit(self, fields: list[str]) -> None:
        deposit_id, account, symbol, amount, escrow = fields
        self.changes.credits.append(DepositCredit(deposit_id, account, symbol, int(amount), escrow))

    def refund(self, fields: list[str]) -> None:
        self._refund += 1
        self._add_payment(fields[0], PaymentKey(True, self._refund))

    def withdraw(self, fields: list[str]) -> None:
        self._withdrawal += 1
        self._add_payment(fields[0], PaymentKey(False, self._withdrawal))

    def settle(self, fields: list[str]) -> None:
        payment = self._market.payments.pop(fields[0], None)
        if payment is None:
            raise OutOfSync(f"payment {fields[0]} is not pending")
        self._payment_changed(payment)

    def operator(self, _fields: list[str]) -> None:
        self.changes.rules_changed = True

    def _add_payment(self, payment_id: str, payment: PaymentKey) -> None:
        self._market.payments[payment_id] = payment
        self._payment_changed(payment)

    def _payment_changed(self, payment: PaymentKey) -> None:
        (self.changes.refunds if payment.is_refund else self.changes.withdrawals).add(payment.n)


# Other lines change nothing that the stream sends: an expired order has a `close` line as well.
_LINES: Final[Mapping[str, Callable[[_BlockReplay, list[str]], None]]] = {
    "order": _BlockReplay.order,
    "trade": _BlockReplay.trade,
    "close": _BlockReplay.close,
    "deposit": _BlockReplay.deposit,
    "refund": _BlockReplay.refund,
    "withdraw": _BlockReplay.withdraw,
    "paid": _BlockReplay.settle,
    "return": _BlockReplay.settle,
    "operator": _BlockReplay.operator,
}


def _read_pair(name: str) -> Pair:
    base, _, quote = name.partition("/")
    return Pair(base, quote)
