"""Balance watch: reads the escrow accounts' real balances once a minute, for `/api/solvency`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer.chain.blocks import BlockError
from indexer.sources.escrow_balances import Place, read_coins, read_executed, read_head, read_tokens, units_of
from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.net.chain_id import ExpectedChain
from settlement.net.change_logger import ChangeLogger
from settlement.net.http_client import Limits, NodeError
from settlement.net.json_rpc import JsonRpcClient
from settlement.net.node_urls import distinct
from settlement.store.database import explain
from settlement.store.escrow_balances import EscrowBalance, write_balances
from settlement.store.periodic_thread import PeriodicThread
from settlement.store.read.venue import TokenRow
from settlement.store.read.venue import read_tokens as read_listed_tokens

READ_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 1.0
_LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=10.0, max_bytes=1 << 24)

T = TypeVar("T")

log = logging.getLogger("peakedex.follow")


class Position(Protocol):
    """Where the indexer is: a HiveSource."""

    @property
    def irreversible(self) -> int: ...

    @property
    def catching_up(self) -> bool: ...


class BalanceWatch(PeriodicThread):
    """Writes the balances into the database while it is entered. Failures are logged and retried.

    The first node of each chain that answers is believed: the balances are for people to compare, and nothing
    is decided by them.
    """

    def __init__(
        self,
        engine: Engine,
        position: Position,
        nodes: Sequence[str],
        engine_nodes: Sequence[str],
        chain: ExpectedChain | None = None,
    ) -> None:
        """`nodes` are URLs of Hive nodes, `engine_nodes` of Hive-Engine nodes; `chain` None: any chain."""
        super().__init__("escrow balances", _POLL_SECONDS, _STOP_SECONDS)
        self._engine = engine
        self._position = position
        self._nodes = distinct(nodes)
        self._engine_nodes = distinct(engine_nodes)
        self._chain = chain
        self._due = time.monotonic()
        self._failures = ChangeLogger(log)

    def run_once(self) -> None:
        """Read once a minute, while following."""
        if time.monotonic() < self._due or self._position.catching_up or not self._position.irreversible:
            return
        self._due = time.monotonic() + READ_SECONDS
        self.look()

    def look(self) -> None:
        """Read and write the balances of both chains; logs failures."""
        try:
            with self._engine.connect() as connection:
                tokens = read_listed_tokens(connection)
            for chain, read in ((HIVE, self._coins), (HIVE_ENGINE, self._tokens)):
                self._look_at(chain, read, [token for token in tokens if token.chain == chain])
        except SQLAlchemyError as error:
            self._failures.log(f"real balances cannot be written: {explain(error)}")

    def _look_at(
        self,
        chain: str,
        read: Callable[[Sequence[TokenRow]], list[EscrowBalance]],
        tokens: Sequence[TokenRow],
    ) -> None:
        try:
            write_balances(self._engine, read(tokens) if tokens else [])
            self._failures.changed(chain, None)
        except (NodeError, BlockError) as error:
            if self._failures.changed(chain, str(error)):
                log.warning("real balances of escrow accounts cannot be read: %s", error)

    def _coins(self, tokens: Sequence[TokenRow]) -> list[EscrowBalance]:
        def read(node: JsonRpcClient) -> list[EscrowBalance]:
            if self._chain is not None:
                self._chain.check(node.url)
            head = read_head(node)
            coins = read_coins(node, _escrows(tokens))
            existing = [token for token in tokens if token.escrow in coins.accounts]
            return _balances(existing, coins.amounts, head)

        return _first(self._nodes, read)

    def _tokens(self, tokens: Sequence[TokenRow]) -> list[EscrowBalance]:
        def read(node: JsonRpcClient) -> list[EscrowBalance]:
            executed = read_executed(node)
            amounts = read_tokens(node, _escrows(tokens), [token.symbol for token in tokens])
            return _balances(tokens, amounts, executed)

        return _first(self._engine_nodes, read)


def _escrows(tokens: Sequence[TokenRow]) -> list[str]:
    return list(dict.fromkeys(token.escrow for token in tokens))


def _balances(tokens: Sequence[TokenRow], amounts: dict[Place, str], block: int) -> list[EscrowBalance]:
    now = int(time.time())
    return [
        EscrowBalance(
            symbol=token.symbol,
            units=units_of(amounts.get((token.escrow, token.symbol), "0"), token.precision),
            block=block,
            updated=now,
        )
        for token in tokens
    ]


def _first(urls: Sequence[str], read: Callable[[JsonRpcClient], T]) -> T:
    """What the first node gives that answers. Raises the last NodeError or BlockError."""
    problem: NodeError | BlockError = NodeError("no node given")
    for url in urls:
        node = JsonRpcClient(url, _LIMITS)
        try:
            return read(node)
        except (NodeError, BlockError) as error:
            problem = error
        finally:
            node.close()
    raise problem
