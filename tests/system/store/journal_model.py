"""Model of what the journal says at the end of each block: the projector's ledger, fed from stored text.

The ledger is compared with the rules elsewhere; here it is what queries of past blocks must answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from settlement.core.journal.lines import JournalEntry, block_header, chain_hash
from settlement.core.venue import Venue
from settlement.store.write.initialise import initial_ledger
from settlement.store.write.ledger.apply import apply_entry
from settlement.store.write.ledger.state_text import state_text
from settlement.store.write.ledger.views import OrderView


class ModelTrade(NamedTuple):
    """A trade and the time of its block."""

    n: int
    timestamp: int
    pair: str
    price: int
    quantity: int
    quote_amount: int


@dataclass
class ModelOrder:
    """An order or stop, also after its close; the view is as it stands now."""

    view: OrderView
    account: str
    closed_block: int | None = None


class JournalModel:
    """The ledger after the blocks read so far, with all orders and trades."""

    def __init__(self, venue: Venue) -> None:
        self.ledger, _ = initial_ledger(venue)
        self.ledger.track_levels()
        self.orders: dict[int, ModelOrder] = {}  # by sequence
        self.trades: list[ModelTrade] = []

    def read(self, text: str) -> None:
        """Take in the lines of one block."""
        entry = JournalEntry(block_header(text), text, chain_hash(self.ledger.journal_hash, text))
        facts = apply_entry(self.ledger, entry)
        for seq, view in facts.orders.items():
            order = self.orders.setdefault(seq, ModelOrder(view, self.ledger.names[view.account]))
            if view.status != "open":
                order.closed_block = facts.number
        self.trades += [
            ModelTrade(
                line.n, facts.header.timestamp, line.pair, line.price, line.quantity, line.quote_amount
            )
            for line, _, _ in facts.trades
        ]

    def open_orders(self) -> list[ModelOrder]:
        """Open orders, without stops, by sequence."""
        return [
            order for order in self.orders.values() if order.closed_block is None and not order.view.is_stop
        ]

    def book(self, pair: str, is_buy: bool) -> list[tuple[int, int, int]]:
        """Levels, best first: price, base units, orders."""
        view = self.ledger.pairs[pair]
        levels = view.bids if is_buy else view.asks
        return [(price, units, count) for price, (units, count) in sorted(levels.items(), reverse=is_buy)]

    def held(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Available, locked and withdrawing by account and symbol, without empty balances."""
        return {
            (self.ledger.names[balance.account], balance.token.line.symbol): (a, b, c)
            for balance in self.ledger.balances.values()
            for a, b, c in [balance.buckets[:3]]
            if a or b or c
        }

    def state(self) -> str:
        """The state text."""
        return state_text(self.ledger)
