"""Trading bots, so that a devnet's market lives: they deposit, quote, take, cancel, replace, withdraw.

They reach the chain only through `Submit`, and know their own orders only by the ids they sent. A seed
makes a run repeatable; nothing here is consensus.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import Operation
from indexer.devnet.traders.intents import custom_json, decimal_text, deposit, element_ids
from indexer.devnet.traders.order_flow import DEPOSIT_USD, Draft, Flow, Trader, usual_units
from indexer.devnet.traders.submit import Submit
from indexer.devnet.venue import VenueView

log = logging.getLogger(__name__)

NAMES: Final = ("ada", "bert", "cleo", "dora", "emil", "faye", "gwen", "hugo", "iris", "juno", "kurt", "lena")
# The sidechain runs 20 actions of an account in a block: bots stay well below.
MOST_ELEMENTS: Final = 3
REFILL_STEPS: Final = 60


class Bots:
    """A crowd of traders. Call `start` once, then `step` about once a block.

    `traders` is how many there are, `acts` how many of them act in a step, `max_open` how many orders one
    of them leaves open. `sent` counts what went out by kind, `refused` what the chain did not take.
    """

    def __init__(
        self,
        submit: Submit,
        venue: VenueView,
        *,
        seed: int = 0,
        traders: int = 6,
        acts: int = 4,
        max_open: int = 24,
    ) -> None:
        if not 1 <= traders <= len(NAMES):
            raise ValueError(f"there are names for 1 to {len(NAMES)} traders")
        self.submit = submit
        self.venue = venue
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._rng = Random(seed)
        self._acts = acts
        self._steps = 0
        self._flow = Flow(venue, self._rng, max_open=max_open)
        self.traders = [Trader(f"{name}.bot") for name in NAMES[:traders]]

    def start(self) -> None:
        """Make the accounts, fill their wallets, and deposit some of each token. Raises ChainError."""
        for trader in self.traders:
            self.submit.faucet(trader.name)
            for symbol in self.venue.tokens:
                self._deposit(trader, symbol)

    def step(self) -> None:
        """Let some of the traders do something. What the chain refuses is counted, not raised.

        Raises ConnectionError where the chain is away.
        """
        self._steps += 1
        for trader in self._rng.sample(self.traders, min(self._acts, len(self.traders))):
            self._act(trader)
        if self._steps % REFILL_STEPS == 0:
            self._deposit(self._rng.choice(self.traders), self._rng.choice(list(self.venue.tokens)))

    def quote_all(self) -> None:
        """Two orders on each side of every pair, so that a fresh market has a book at once."""
        for _ in self.venue.pairs:
            for trader in self.traders[:4]:
                self._send(trader, [self._flow.draw(trader, "quote")], [])

    def quote(self, count: int) -> None:
        """So many more orders beside the middle, by any of the traders: takers would empty the books."""
        for _ in range(count):
            trader = self._rng.choice(self.traders)
            self._send(trader, [self._flow.draw(trader, "quote")], [])

    def _act(self, trader: Trader) -> None:
        count = 1 if self._rng.random() < 0.7 else self._rng.randint(2, MOST_ELEMENTS)
        drafts = [self._flow.draw(trader) for _ in range(count)]
        first: list[Operation] = []
        if self._rng.random() < 0.02:
            # A deposit and orders in one transaction: their ids then carry the operation's number.
            symbol = self._rng.choice(list(self.venue.tokens))
            first = [self._funded(trader, symbol)]
            self.sent["deposit"] += 1
        self._send(trader, drafts, first)

    def _send(self, trader: Trader, drafts: Sequence[Draft], first: Sequence[Operation]) -> None:
        active = all(draft.active for draft in drafts) or bool(first)
        elements = [draft.element for draft in drafts]
        operations = [*first, custom_json(self.venue, trader.name, *elements, active=active)]
        try:
            transaction_id = self.submit.broadcast(operations)
        except ChainError as error:
            log.info("the chain refuses %s: %s", drafts[0].kind, error)
            self.refused.update(draft.kind for draft in drafts)
            return
        ids = element_ids(transaction_id, operations, [*(1 for _ in first), len(drafts)])[-1]
        for draft, ident in zip(drafts, ids, strict=True):
            self._flow.placed(trader, draft, ident)
            self.sent[draft.kind] += 1

    def _funded(self, trader: Trader, symbol: str) -> Operation:
        """A deposit, with the wallet filled for it beforehand."""
        token = self.venue.tokens[symbol]
        units = usual_units(symbol, token.precision, DEPOSIT_USD)
        units += self._rng.randint(0, units)
        self.submit.faucet(trader.name, symbol, decimal_text(units, token.precision))
        return deposit(self.venue, symbol, trader.name, units)

    def _deposit(self, trader: Trader, symbol: str) -> None:
        self.submit.broadcast([self._funded(trader, symbol)])
        self.sent["deposit"] += 1


def run_bots(bots: Bots, stop: threading.Event, interval: float = 1.0) -> None:
    """Start the bots and let them act every `interval` seconds until `stop` is set, or the chain is gone."""
    try:
        bots.start()
        bots.quote_all()
        while not stop.wait(interval):
            bots.step()
    except ConnectionError as error:
        if not stop.is_set():
            log.warning("the bots stop: %s", error)
