"""A simulated node: a Hive chain and its sidechain behind one lock, so that HTTP threads can share them."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from indexer.devnet.hive.authority import Authority, Role
from indexer.devnet.hive.blocks import Block
from indexer.devnet.hive.chain import DEFAULT_EXPIRATION_SECONDS, Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import COINS
from indexer.devnet.hive.serialization import Transaction
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.sidechain.quantity import parse_quantity
from indexer.devnet.venue import VenueView

COIN_PRECISION: Final = 3


class DevNode:
    """A Hive node and the Hive-Engine node that follows it.

    The sidechain fetches blocks up to the head, and executes them when `buffer` later ones are there (the
    node's `antiForkBufferMaxSize`), irreversible or not. Where a fork drops executed blocks, its operator
    restores it from before them, so that it executes the new branch; `forked` is the sidechain of a node that
    is not restored, see `fork`. With `cautious` it waits for irreversible blocks, as no published node does.
    `behind` delays execution by that many Hive blocks more. `skip_slots` is the number of coming block slots
    without a block. `venue` is the venue whose accounts and tokens exist on it (see `prepare`).
    """

    def __init__(
        self,
        chain: Chain | None = None,
        sidechain: Sidechain | None = None,
        *,
        buffer: int = 0,
        cautious: bool = False,
    ) -> None:
        self.chain = chain or Chain()
        self.sidechain = sidechain or Sidechain()
        self.buffer = buffer
        self.cautious = cautious
        self.forked: Sidechain | None = None
        self.forked_ended = False  # it met a transaction of the dropped branch again, at which nodes end
        self.lock = threading.RLock()
        self.behind = 0
        self.skip_slots = 0
        self.venue: VenueView | None = None
        self._to_execute: deque[Block] = deque()
        # The sidechain as of the last irreversible block, while it has executed blocks after that one.
        self._restorable: Sidechain | None = None
        self._executed_reversible: deque[Block] = deque()

    # -- time ------------------------------------------------------------------------------------

    def tick(self, now: int | None = None) -> Block | None:
        """Produce the block of the next slot and let the sidechain follow. None for a missed slot.

        `now` is in seconds since 1970, by default one block time after head.
        """
        with self.lock:
            if self.skip_slots > 0:
                self.skip_slots -= 1
                return None
            block = self.chain.produce(now)
            self._to_execute.append(block)
            self._follow()
            return block

    @property
    def next_hive_block(self) -> int:
        """`lastParsedHiveBlockNumber` of the sidechain's status: the next Hive block to fetch."""
        return min(self.chain.head, self.sidechain.last_hive_block + self.buffer) + 1

    def fork(self, depth: int, *, forget: bool = False, sidechain: bool = False) -> list[Block]:
        """Drop the newest `depth` blocks; the next ones form another branch. Returns the dropped ones.

        With `forget` their transactions are lost. With `sidechain` one sidechain node (`forked`) has executed
        the dropped blocks, keeps its blocks for them, and goes on with the new branch where they end. Raises
        ValueError if a block is irreversible.
        """
        with self.lock:
            if depth > self.chain.head - self.chain.irreversible:
                raise ValueError(
                    f"cannot drop {depth} blocks: the head is {self.chain.head}, and "
                    f"{self.chain.irreversible} is irreversible"
                )
            if sidechain:
                self.forked, self.forked_ended = copy.deepcopy(self.sidechain), False
                for block in self._to_execute:
                    self.forked.execute(block)
            dropped = self.chain.rewind(self.chain.head - depth, forget=forget)
            self._restore_sidechain()
            while self._to_execute and self._to_execute[-1].number > self.chain.head:
                self._to_execute.pop()
            return dropped

    def _restore_sidechain(self) -> None:
        """Undo what the sidechain has executed of dropped blocks."""
        executed = self._executed_reversible
        if self._restorable is None or not executed or executed[-1].number <= self.chain.head:
            return
        self.sidechain = self._restorable
        self._to_execute.extendleft(reversed(executed))
        self._restorable = None
        executed.clear()

    def advance(self) -> None:
        """Apply a changed `lag` or `behind` without waiting for the next block."""
        with self.lock:
            self.chain.advance_irreversible()
            self._follow()

    def _follow(self) -> None:
        irreversible = self.chain.irreversible
        head = self.chain.head - self.buffer
        last = (min(irreversible, head) if self.cautious else head) - self.behind
        while self._to_execute and self._to_execute[0].number <= last:
            block = self._to_execute.popleft()
            if self._restorable is None and block.number > irreversible:
                self._restorable = copy.deepcopy(self.sidechain)
            self.sidechain.execute(block)
            self._execute_forked(block)
            if self._restorable is not None:
                self._executed_reversible.append(block)
        while self._executed_reversible and self._executed_reversible[0].number <= irreversible:
            assert self._restorable is not None
            self._restorable.execute(self._executed_reversible.popleft())
        if not self._executed_reversible:
            self._restorable = None

    def _execute_forked(self, block: Block) -> None:
        if self.forked is None or self.forked_ended or block.number <= self.forked.last_hive_block:
            return
        if self.forked.has_executed(block):
            self.forked_ended = True
        else:
            self.forked.execute(block)

    # -- transactions ----------------------------------------------------------------------------

    def broadcast(self, operations: Iterable[object], expires_in: int = DEFAULT_EXPIRATION_SECONDS) -> str:
        """Accept operations without signatures as one transaction, and return its id. Raises ChainError."""
        with self.lock:
            return self.chain.push(self.chain.build(operations, expires_in), authorized=True)

    def push(self, transaction: Transaction) -> str:
        """Accept a signed transaction, and return its id. Raises ChainError."""
        with self.lock:
            return self.chain.push(transaction)

    def faucet(
        self,
        account: str,
        symbol: str | None = None,
        quantity: str | None = None,
        authorities: Mapping[Role, Authority] | None = None,
    ) -> None:
        """Create the account if it is missing, and give it coins or tokens. Raises ChainError.

        `quantity` is decimal text. It takes effect at once, without an operation on the chain.
        """
        with self.lock:
            self.chain.accounts.create(account, self.chain.head_time, authorities)
            if symbol is None or quantity is None:
                return
            if symbol not in COINS:
                try:
                    for sidechain in filter(None, (self.sidechain, self._restorable)):
                        sidechain.grant(account, symbol, quantity)
                except ValueError as error:
                    raise ChainError(f"Assert Exception:faucet: {error}") from error
                return
            value = parse_quantity(quantity)
            if value is None or value.infinite or value.decimals > COIN_PRECISION:
                raise ChainError(f"Assert Exception:faucet: {quantity!r} is not a valid amount of {symbol}")
            self.chain.accounts.grant(account, symbol, value.units(COIN_PRECISION))

    def prepare(self, venue: VenueView) -> None:
        """Create a venue's missing accounts (escrows, operator, checkpoint and fee account) and tokens."""
        with self.lock:
            self.venue = venue
            for name in (venue.operator, venue.checkpoint_account, venue.fee_account, *venue.escrows):
                self.chain.accounts.create(name, self.chain.head_time)
            for token in venue.tokens.values():
                if token.chain == "hive-engine" and token.symbol not in self.sidechain.tokens:
                    for sidechain in filter(None, (self.sidechain, self._restorable)):
                        sidechain.create_token(token.symbol, token.precision, venue.operator)
