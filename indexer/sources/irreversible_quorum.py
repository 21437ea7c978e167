"""Which block is irreversible, by the word of a quorum of nodes.

The number is the q-th highest of what the nodes last said. So up to q - 1 nodes that forge a higher number
cannot push us forward, and nodes that lag or are silent hold us back only where fewer than q others speak.
A node's older answer stays in use while it fails: what was irreversible stays so.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Final

from indexer.sources.backoff import NodeError, Patience
from indexer.sources.hive_client import HiveClient
from indexer.sources.node_pool import Node, Pool

DEFAULT_QUORUM: Final = 2

HiveNode = Node[HiveClient]


def quorum_of(nodes: int, wanted: int | None = None) -> int:
    """How many of so many nodes must agree: as wanted, or 2, or 1 if there is only one.

    Raises ValueError if more are wanted than there are.
    """
    if wanted is None:
        return min(DEFAULT_QUORUM, nodes)
    if not 1 <= wanted <= nodes:
        raise ValueError(f"a quorum of {wanted} cannot be had of {nodes} Hive nodes")
    return wanted


class Irreversible:
    """Asks all nodes that are ready, each in its thread. `number` is what they agree on: it never falls."""

    def __init__(self, pool: Pool[HiveClient], patience: Patience, quorum: int, grace_seconds: float) -> None:
        """`grace_seconds` is how long a round waits for slow nodes, once the others have spoken."""
        self.number = 0
        self._pool = pool
        self._patience = patience
        self._quorum = quorum
        self._grace_seconds = grace_seconds
        self._said: dict[HiveNode, int] = {}
        self._asked: dict[HiveNode, Future[int]] = {}

    def after(self, number: int, poll_seconds: float) -> int:
        """Wait until a block above `number` is irreversible; what is the last one. Raises Stopped."""
        self._round(number)
        while self.number <= number:
            seconds = max(poll_seconds, self._pool.seconds_to_rest())
            if self._said_by() < self._quorum:
                seconds = self._pool.seconds_to_rest() or poll_seconds
            self._patience.pause(seconds, self._reason(number))
            self._round(number)
        return self.number

    def _round(self, above: int) -> None:
        """Ask those that do not owe us an answer; who is slow may answer in a later round."""
        fresh: list[Future[int]] = []
        for node in self._pool.ready():
            if node not in self._asked:
                self._asked[node] = node.ask(HiveClient.last_irreversible)
                fresh.append(self._asked[node])
        self._take_answers()
        while self.number <= above:
            is_enough = self._said_by() >= self._quorum
            awaited = [each for each in (fresh if is_enough else self._asked.values()) if not each.done()]
            most = self._grace_seconds if is_enough else None
            if not awaited or not self._patience.any(awaited, self._reason(above), most):
                return
            self._take_answers()

    def _take_answers(self) -> None:
        for node, future in list(self._asked.items()):
            if future.done():
                del self._asked[node]
                self._take(node, future)

    def _take(self, node: HiveNode, future: Future[int]) -> None:
        try:
            self._said[node] = future.result()
        except NodeError as error:
            self._pool.failed(node, error)
            return
        if self._said_by() >= self._quorum:
            agreed = sorted(self._said.values(), reverse=True)[self._quorum - 1]
            self.number = max(self.number, agreed)

    def _said_by(self) -> int:
        return len(self._said)

    def _reason(self, number: int) -> str:
        if self._said_by() >= self._quorum:
            reason = f"block {number + 1} to become irreversible"
            resting = sum(not node.is_well for node in self._pool.nodes)
            if len(self._pool.nodes) - resting < self._quorum:
                reason += f" by the word of {self._quorum} nodes: {self._pool.last_error}"
            return reason
        nodes = "a node that answers" if self._quorum == 1 else f"{self._quorum} nodes that answer"
        return nodes if self._pool.last_error is None else f"{nodes}: {self._pool.last_error}"
