"""One simulated node: the chain, its sidechain and a lock, so that HTTP threads can share them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from indexer.devnet.hive.authority import Authority, Role
from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import COINS
from indexer.devnet.hive.serialization import Transaction
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.sidechain.quantity import parse_quantity
from indexer.devnet.venue import VenueView

COIN_PRECISION: Final = 3


class DevNode:
    """A Hive node and the Hive-Engine node that follows it.

    The sidechain executes irreversible blocks only, so a fork never reaches it. `behind` holds it back
    by so many Hive blocks; `skip_slots` lets that many block times pass without a block. `venue` is the one
    whose accounts and tokens it was prepared for.
    """

    def __init__(self, chain: Chain | None = None, sidechain: Sidechain | None = None) -> None:
        self.chain = chain or Chain()
        self.sidechain = sidechain or Sidechain()
        self.lock = threading.RLock()
        self.behind = 0
        self.skip_slots = 0
        self.venue: VenueView | None = None
        self._to_execute: deque[Block] = deque()

    # -- time ------------------------------------------------------------------------------------

    def tick(self, now: int | None = None) -> Block | None:
        """One block slot: produce a block and let the sidechain follow; None where it was missed.

        `now` is in seconds since 1970, by default the chain's own time.
        """
        with self.lock:
            if self.skip_slots > 0:
                self.skip_slots -= 1
                return None
            block = self.chain.produce(now)
            self._to_execute.append(block)
            self._follow()
            return block

    def fork(self, depth: int, *, forget: bool = False) -> list[Block]:
        """Drop the newest `depth` blocks; the next ones form another branch. Returns the dropped ones.

        With `forget` their transactions are lost. Raises ValueError if one is irreversible.
        """
        with self.lock:
            dropped = self.chain.rewind(self.chain.head - depth, forget=forget)
            while self._to_execute and self._to_execute[-1].number > self.chain.head:
                self._to_execute.pop()
            return dropped

    def settle(self) -> None:
        """Take up a changed lag or `behind` without waiting for the next block."""
        with self.lock:
            self.chain.settle()
            self._follow()

    def _follow(self) -> None:
        while self._to_execute and self._to_execute[0].number <= self.chain.irreversible - self.behind:
            self.sidechain.execute(self._to_execute.popleft())

    # -- what comes in ---------------------------------------------------------------------------

    def submit(self, operations: Iterable[object]) -> str:
        """Take operations without signatures, as one transaction; returns its id. Raises ChainError."""
        with self.lock:
            return self.chain.push(self.chain.build(operations), authorized=True)

    def broadcast(self, operations: Iterable[object]) -> str:
        """The same, under the name that bots know (`submit.Submit`)."""
        return self.submit(operations)

    def push(self, transaction: Transaction) -> str:
        """Take a signed transaction; returns its id. Raises ChainError."""
        with self.lock:
            return self.chain.push(transaction)

    def faucet(
        self,
        account: str,
        symbol: str | None = None,
        quantity: str | None = None,
        authorities: Mapping[Role, Authority] | None = None,
    ) -> None:
        """Make an account if there is none, and give it coins or tokens. Raises ChainError.

        `quantity` is decimal text. Beside the chain: no operation shows it, and it works at once.
        """
        with self.lock:
            self.chain.accounts.create(account, self.chain.head_time, authorities)
            if symbol is None or quantity is None:
                return
            if symbol not in COINS:
                try:
                    self.sidechain.grant(account, symbol, quantity)
                except ValueError as error:
                    raise ChainError(f"Assert Exception:faucet: {error}") from error
                return
            value = parse_quantity(quantity)
            if value is None or value.infinite or value.decimals > COIN_PRECISION:
                raise ChainError(f"Assert Exception:faucet: {quantity!r} is not an amount of {symbol}")
            self.chain.accounts.grant(account, symbol, value.units(COIN_PRECISION))

    def prepare(self, venue: VenueView) -> None:
        """Make a venue's accounts (escrows, operator, fee account) and its tokens, where missing."""
        with self.lock:
            self.venue = venue
            for name in (venue.operator, venue.fee_account, *venue.escrows):
                self.chain.accounts.create(name, self.chain.head_time)
            for token in venue.tokens.values():
                if token.chain == "hive-engine" and token.symbol not in self.sidechain.tokens:
                    self.sidechain.create_token(token.symbol, token.precision, venue.operator)
