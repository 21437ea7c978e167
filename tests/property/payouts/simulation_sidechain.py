"""Hive-Engine nodes of the simulation: three, read by the real client, and wrong in the ways of published nodes.

A node fetches Hive blocks up to the head and executes them later; one that followed a branch of Hive that was
dropped keeps that branch's blocks; one may not answer. A block's receipts count when two of them agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, cast

import msgspec

from indexer.chain.blocks import Block
from indexer.chain.prefilter import Prefilter, read_block
from indexer.chain.receipts import OrphanError, Receipts
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.json_rpc import Params
from indexer.devnet.rpc.sidechain_methods import SidechainMethods
from indexer.devnet.sidechain.chain import Sidechain
from indexer.sources.sidechain_client import ReceiptsAnswer, SidechainClient
from indexer.sources.source import Cursor
from settlement.core.events import VenueFilter
from settlement.net.http_client import HttpClient, NoAnswer, NodeError
from tests.system.payouts.world import Blocks

MOST_UNEXECUTED = 90
"""Hive blocks that a node has fetched and not executed, at most: below the margin that the client allows."""


class Executed:
    """A sidechain as a node has it that has not executed the newest Hive blocks."""

    def __init__(self, sidechain: Sidechain, behind: int) -> None:
        self._sidechain = sidechain
        self.last_hive_block = sidechain.last_hive_block - behind
        self.block_number = sidechain.block_number
        while behind and self.block_number and self._hive_block(self.block_number) > self.last_hive_block:
            self.block_number -= 1

    def _hive_block(self, number: int) -> int:
        return int(msgspec.json.decode(self._sidechain.block(number) or b"{}")["refHiveBlockNumber"])

    def block(self, number: int) -> bytes | None:
        return self._sidechain.block(number) if number <= self.block_number else None

    def block_of_hive(self, hive_number: int) -> bytes | None:
        return self._sidechain.block_of_hive(hive_number) if hive_number <= self.last_hive_block else None

    def transaction(self, ident: str) -> Any:
        found: Any = self._sidechain.transaction(ident)
        rows = found if isinstance(found, list) else [found]
        is_executed = all(row and row["refHiveBlockNumber"] <= self.last_hive_block for row in rows)
        return found if is_executed else None


class EngineNode:
    """A Hive-Engine node behind its HTTP interface, in memory."""

    def __init__(self, node: DevNode) -> None:
        self._node = node
        # As a `DevNode`: of it, these methods read the sidechain and the next block to fetch.
        self._methods = SidechainMethods(cast(DevNode, self)).blockchain()
        self.calm()

    def calm(self) -> None:
        """From now on it is a good node; one that followed a fork was replayed."""
        self.behind = 0  # Hive blocks that it has fetched and not executed, beside those that nobody has
        self.is_silent = False
        self.forked: Sidechain | None = None

    @property
    def sidechain(self) -> Executed:
        return Executed(self.forked or self._node.sidechain, self.behind)

    @property
    def next_hive_block(self) -> int:
        return min(self._node.chain.head, self.sidechain.last_hive_block + MOST_UNEXECUTED) + 1

    def execution(self, transaction_id: str) -> object:
        """The rows of a transaction that it has executed."""
        return self.sidechain.transaction(transaction_id)

    def post_json(self, url: str, body: bytes, _limits: object = None) -> bytes:
        """As `HttpClient.post_json`. Raises NoAnswer."""
        if self.is_silent:
            raise NoAnswer(url, "no answer in time")
        request = json.loads(body)
        result = self._methods[request["method"]](Params(request["params"]))
        return msgspec.json.encode({"jsonrpc": "2.0", "id": request["id"], "result": result})


class EngineNodes:
    """The three nodes, which all operators use."""

    def __init__(self, node: DevNode, random: Random) -> None:
        self._node = node
        self._random = random
        self._forked: Sidechain | None = None
        self.nodes = [EngineNode(node) for _ in range(3)]

    def fail(self) -> str:
        """Each of them changes, and is replayed; returns how."""
        for node in self.nodes:
            node.calm()
            node.behind = self._random.choice((0, 0, 1, 3, 6))
            node.is_silent = self._random.random() < 0.2
        return f"Hive-Engine nodes: {[(node.behind, node.is_silent) for node in self.nodes]}"

    def follow_fork(self) -> list[int]:
        """One, two or all of them have followed the branch that was dropped; returns which."""
        followers = self._random.sample(range(3), self._random.choice((1, 2, 3)))
        for one in followers:
            self.nodes[one].forked = self._node.forked
        return sorted(followers)

    def calm(self) -> None:
        """From now on all are good."""
        for node in self.nodes:
            node.calm()

    def source(self, node: DevNode, venue_filter: VenueFilter) -> Blocks:
        """The blocks as one operator's indexer reads them."""
        return AgreedBlocks(node, venue_filter, self.nodes)


class AgreedBlocks(Blocks):
    """Irreversible blocks with the receipts on which two Hive-Engine nodes agree."""

    def __init__(self, node: DevNode, venue_filter: VenueFilter, nodes: list[EngineNode]) -> None:
        super().__init__(node, venue_filter)
        self._chain = node.chain
        self._prefilter = Prefilter(venue_filter)
        self._clients = [
            SidechainClient(f"http://engine-{at}", http=cast(HttpClient, one)) for at, one in enumerate(nodes)
        ]

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Up to the first block on which they do not agree yet."""
        for number in range(after.number + 1, self._chain.irreversible + 1):
            agreed = self._agreed(number)
            if agreed is None:
                return
            yield read_block(self._chain.stored(number), self._prefilter), agreed.receipts

    def _agreed(self, number: int) -> ReceiptsAnswer | None:
        answers: list[ReceiptsAnswer] = []
        for client in self._clients:
            try:
                answer = client.receipts(number, self._chain.id_of(number).hex())
                if not answer.counts(self._hive_id):
                    continue
            except (NodeError, OrphanError):
                continue
            if any(answer.content == other.content for other in answers):
                return answer
            answers.append(answer)
        return None

    def _hive_id(self, number: int) -> str | None:
        return self._chain.id_of(number).hex() if number <= self._chain.irreversible else None


class DeceivedBlocks(AgreedBlocks):
    """The same for an operator who trusts one node, which has executed nothing and says that it has nothing."""

    def _agreed(self, number: int) -> ReceiptsAnswer | None:
        return ReceiptsAnswer(None, None, is_final=True)
