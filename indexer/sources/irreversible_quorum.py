"""The last irreversible block that a quorum of nodes agrees on.

It is the q-th highest of the numbers that the nodes last reported: up to q - 1 nodes that report a forged
higher number cannot push it forward, and nodes that lag or are silent hold it back only where fewer than q
others answer. A node's last report stays valid while the node fails: irreversible blocks stay irreversible.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Final

from indexer.sources.hive_client import HiveClient
from indexer.sources.source import SourceError
from settlement.net.backoff import Waiter
from settlement.net.chain_id import OtherChainError
from settlement.net.http_client import NodeError
from settlement.net.node_pool import Node, NodePool

DEFAULT_QUORUM: Final = 2

HiveNode = Node[HiveClient]


def quorum_of(node_count: int, quorum: int | None) -> int:
    """How many of the nodes must agree: `quorum`; None: 2, or 1 for a single node.

    Raises ValueError for more than there are.
    """
    if quorum is None:
        return min(DEFAULT_QUORUM, node_count)
    if not 1 <= quorum <= node_count:
        raise ValueError(f"a quorum of {quorum} needs at least {quorum} Hive nodes; {node_count} are given")
    return quorum


class IrreversibleQuorum:
    """Polls all available nodes in parallel. `number` is the agreed block; it never decreases."""

    def __init__(self, pool: NodePool[HiveClient], waiter: Waiter, quorum: int, grace_seconds: float) -> None:
        """`grace_seconds` is how long a round waits for slow nodes once a quorum has answered."""
        self.number = 0
        self._pool = pool
        self._waiter = waiter
        self._quorum = quorum
        self._grace_seconds = grace_seconds
        self._reported: dict[HiveNode, int] = {}
        self._pending: dict[HiveNode, Future[int]] = {}
        self._other_chain: set[HiveNode] = set()  # refused at their last answer

    def wait_beyond(self, number: int, poll_seconds: float) -> int:
        """Wait until a block above `number` is irreversible; returns the last such block.

        Raises Stopped, and SourceError where too many nodes belong to another chain for any quorum.
        """
        self._poll(number)
        while self.number <= number:
            seconds = self._pool.seconds_until_available() or poll_seconds
            if self._has_quorum:
                seconds = max(seconds, poll_seconds)
            self._waiter.pause(seconds, self._reason(number))
            self._poll(number)
        return self.number

    def reaches(self, number: int) -> bool:
        """Whether a block is irreversible, after one round of questions if it was not. Raises Stopped."""
        if self.number < number:
            self._poll(number - 1)
        return self.number >= number

    @property
    def _has_quorum(self) -> bool:
        return len(self._reported) >= self._quorum

    def _poll(self, above: int) -> None:
        """One round: ask the nodes without a pending request; a slow node may answer in a later round."""
        fresh: list[Future[int]] = []
        for node in self._pool.available():
            if node not in self._pending:
                self._pending[node] = node.submit(HiveClient.last_irreversible)
                fresh.append(self._pending[node])
        self._take_answers()
        while self.number <= above:
            has_quorum = self._has_quorum
            awaited = [each for each in (fresh if has_quorum else self._pending.values()) if not each.done()]
            if not awaited:
                return
            seconds = self._grace_seconds if has_quorum else None
            if not self._waiter.first_done(awaited, self._reason(above), seconds):
                for node, request in self._pending.items():
                    self._pool.late(node, request)
                return
            self._take_answers()

    def _take_answers(self) -> None:
        for node, future in list(self._pending.items()):
            if future.done():
                del self._pending[node]
                self._take(node, future)

    def _take(self, node: HiveNode, future: Future[int]) -> None:
        try:
            self._reported[node] = future.result()
        except NodeError as error:
            self._pool.failed(node, error)
            if isinstance(error, OtherChainError):
                self._refuse(node, error)
            return
        self._pool.answered(node)
        self._other_chain.discard(node)
        if self._has_quorum:
            agreed = sorted(self._reported.values(), reverse=True)[self._quorum - 1]
            self.number = max(self.number, agreed)

    def _refuse(self, node: HiveNode, error: OtherChainError) -> None:
        """A wrong setting ends the indexer at once; nodes that change later do not."""
        self._other_chain.add(node)
        if not self.number and len(self._pool.nodes) - len(self._other_chain) < self._quorum:
            raise SourceError(str(error))

    def _reason(self, number: int) -> str:
        if self._has_quorum:
            reason = f"block {number + 1} to become irreversible"
            working = sum(node.is_ok for node in self._pool.nodes)
            if working < self._quorum:
                reason += f" ({working} of {self._quorum} nodes available: {self._pool.error})"
            return reason
        reason = "a Hive node to answer" if self._quorum == 1 else f"{self._quorum} Hive nodes to answer"
        return reason if self._pool.error is None else f"{reason}: {self._pool.error}"
