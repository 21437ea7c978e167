"""The market of a demo: its past, its market makers and its bots."""

from __future__ import annotations

from random import Random
from typing import Final

from indexer.devnet.node import DevNode
from indexer.devnet.traders.bots import Bots
from indexer.devnet.traders.market_history import MarketHistory
from indexer.devnet.traders.market_makers import MarketMakers, fund_makers
from indexer.devnet.traders.prices import CalmPrices
from indexer.devnet.venue import VenueView

BOTS: Final = 12
BOTS_PER_BLOCK: Final = 8
QUOTES_PER_BLOCK: Final = 4
BLOCKS_PER_REQUOTE: Final = 2


class Market:
    """Call `open` once, before the chain's clock starts, then `step` after every block.

    `history_days` and `end` are those of MarketHistory; without days the market is new. Without `bots`
    nobody trades after the history.
    """

    def __init__(
        self, node: DevNode, venue: VenueView, *, seed: int = 0, bots: bool, history_days: int, end: int
    ) -> None:
        self._node = node
        self._venue = venue
        self._history = (
            MarketHistory(node, venue, days=history_days, end=end, seed=seed) if history_days else None
        )
        self._bots: Bots | None = None
        if bots:
            prices = CalmPrices(Random(f"prices {seed}"))
            self._makers = MarketMakers(node, venue, prices, seed=seed)
            self._bots = Bots(node, venue, seed=seed, traders=BOTS, acts=BOTS_PER_BLOCK, prices=prices)
        self._steps = 0

    def open(self) -> None:
        """Deposit, write the history, and fill the order books. Raises ChainError."""
        with self._node.lock:
            fund_makers(self._node, self._venue)
            if self._bots is not None:
                self._bots.start()
            if self._history is not None:
                self._history.write()
            if self._bots is not None:
                self._makers.quote_all()
                self._bots.quote_all()

    def step(self) -> None:
        """Let the makers and the bots act."""
        if self._bots is None:
            return
        self._steps += 1
        if self._steps % BLOCKS_PER_REQUOTE == 0:
            self._makers.step()
        self._bots.step()
        self._bots.quote(QUOTES_PER_BLOCK)
