"""Trading bots for a devnet: they deposit, trade in every way that the protocol has, and withdraw.

They know their orders only by the ids of the transactions they sent. The same seed gives the same run.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from random import Random
from typing import Final

from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import Operation
from indexer.devnet.node import DevNode
from indexer.devnet.traders.order_flow import OrderFlow
from indexer.devnet.traders.payloads import decimal_text, deposit, element_ids, intent, movement
from indexer.devnet.traders.planned import PlannedIntent, Trader, operations_of
from indexer.devnet.traders.prices import DEPOSIT_USD, DriftingPrices, units_worth
from indexer.devnet.venue import VenueView

log = logging.getLogger(__name__)

NAMES: Final = ("ada", "bert", "cleo", "dora", "emil", "faye", "gwen", "hugo", "iris", "juno", "kurt", "lena")
# Intents in one custom_json. The sidechain executes at most 20 actions of an account in a block.
MAX_INTENTS: Final = 3
DEPOSIT_EVERY_STEPS: Final = 30
MISTAKE_EVERY_STEPS: Final = 40
# The first trader's dead man's switch, which it sets again long before it is due.
SWITCH_EVERY_STEPS: Final = 5
SWITCH_SECONDS: Final = 120


class Bots:
    """A group of trading bots. Call `start` once, then `step` about once a block.

    `traders` is the number of bots, `acts` how many of them act in a step, `prices` those that they trade
    around. `sent` and `refused` count intents by kind: broadcast, and rejected by the node.
    """

    def __init__(
        self,
        node: DevNode,
        venue: VenueView,
        *,
        seed: int = 0,
        traders: int = 6,
        acts: int = 4,
        prices: DriftingPrices | None = None,
    ) -> None:
        if not 1 <= traders <= len(NAMES):
            raise ValueError(f"traders must be 1 to {len(NAMES)}")
        self.node = node
        self.venue = venue
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._rng = Random(seed)
        self._acts = acts
        self._steps = 0
        # Withdrawn balances, which the trader deposits again before any other.
        self._emptied: deque[tuple[Trader, str]] = deque()
        self.traders = [Trader(f"{name}.bot") for name in NAMES[:traders]]
        self._flow = OrderFlow(
            *(venue, self.traders, self._rng),
            now=lambda: node.chain.head_time,
            prices=prices,
        )

    def start(self) -> None:
        """Create and fund the accounts, and deposit some of each token. Raises ChainError."""
        for trader in self.traders:
            self.node.faucet(trader.name)
            for symbol in self.venue.tokens:
                self._deposit(trader, symbol)

    def step(self) -> None:
        """Let some of the traders act. A transaction that the node rejects is counted, not raised."""
        self._steps += 1
        for trader in self._rng.sample(self.traders, min(self._acts, len(self.traders))):
            self._act(trader)
        if self._steps % DEPOSIT_EVERY_STEPS == 0:
            anyone = self._rng.choice(self.traders), self._rng.choice(list(self.venue.tokens))
            with self._counting_refusals("deposit"):
                self._deposit(*(self._emptied.popleft() if self._emptied else anyone))
        if self._steps % SWITCH_EVERY_STEPS == 0:
            element = intent(self.venue, "cancelAllAfter", {"seconds": SWITCH_SECONDS})
            self._send(self.traders[0], [PlannedIntent("timer", element)], [])
        if self._steps % MISTAKE_EVERY_STEPS == 0:
            with self._counting_refusals("misdirected"):
                self._misdirect(self._rng.choice(self.traders))

    @contextmanager
    def _counting_refusals(self, kind: str) -> Iterator[None]:
        try:
            yield
        except ChainError as error:
            log.info("%s rejected by the node: %s", kind, error)
            self.refused[kind] += 1

    def quote_all(self) -> None:
        """Place orders in every pair, so that a new market has order books at once."""
        for _ in self.venue.pairs:
            for trader in self.traders[:4]:
                self._send(trader, [self._flow.draw(trader, "quote")], [])

    def quote(self, count: int) -> None:
        """Place `count` more limit orders around the mid price, so that takers do not empty the books."""
        for _ in range(count):
            trader = self._rng.choice(self.traders)
            self._send(trader, [self._flow.draw(trader, "quote")], [])

    def _act(self, trader: Trader) -> None:
        count = 1 if self._rng.random() < 0.7 else self._rng.randint(2, MAX_INTENTS)
        planned = [self._flow.draw(trader) for _ in range(count)]
        first: list[Operation] = []
        if self._rng.random() < 0.02:
            # A deposit and orders in one transaction: the intents' ids then contain the operation's index.
            symbol = self._rng.choice(list(self.venue.tokens))
            first = [self._funded(trader, symbol)]
        self._send(trader, planned, first)

    def _send(self, trader: Trader, planned: Sequence[PlannedIntent], first: Sequence[Operation]) -> None:
        signed, counts = operations_of(self.venue, trader.name, planned)
        operations = [*first, *signed]
        try:
            transaction_id = self.node.broadcast(operations)
        except ChainError as error:
            log.info("%s rejected by the node: %s", planned[0].kind, error)
            self.refused.update(draft.kind for draft in planned)
            return
        if first:
            self.sent["deposit"] += len(first)
        ids = element_ids(transaction_id, operations, [*(1 for _ in first), *counts])[len(first) :]
        for draft, ident in zip(planned, chain.from_iterable(ids), strict=True):
            self._flow.record_sent(trader, draft, ident)
            self.sent[draft.kind] += 1
            if draft.emptied is not None:
                self._emptied.append((trader, draft.emptied))
            if draft.follow_up is not None:
                self._send(trader, [self._flow.draw(trader, draft.follow_up)], [])

    def _misdirect(self, trader: Trader) -> None:
        """A deposit in the escrow account of another token: refunded, or ignored where it is too small."""
        token, other = self._rng.sample(list(self.venue.tokens.values()), 2)
        units = token.min_withdrawal if self._rng.random() < 0.6 else 1
        self.node.faucet(trader.name, token.symbol, decimal_text(units, token.precision))
        self.node.broadcast([movement(self.venue, token, trader.name, other.escrow, units)])
        self.sent["misdirected"] += 1

    def _funded(self, trader: Trader, symbol: str) -> Operation:
        """A deposit operation; the faucet has given the wallet the amount."""
        token = self.venue.tokens[symbol]
        units = units_worth(symbol, token.precision, DEPOSIT_USD)
        units += self._rng.randint(0, units)
        self.node.faucet(trader.name, symbol, decimal_text(units, token.precision))
        return deposit(self.venue, symbol, trader.name, units)

    def _deposit(self, trader: Trader, symbol: str) -> None:
        self.node.broadcast([self._funded(trader, symbol)])
        self.sent["deposit"] += 1
