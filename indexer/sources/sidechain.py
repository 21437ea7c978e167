"""Receipts from Hive-Engine nodes: what the sidechain executed for one Hive block (protocol, section 4).

"No receipts" counts only from a node that has executed past the block and still keeps it. Receipts count only
under the Hive block's id: a node that executed another branch cannot answer. With several nodes, two must
agree; until then the source waits without a time limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from indexer.chain.receipts import Receipts
from indexer.sources.sidechain_client import (
    LIMITS,
    ForkedNodeError,
    HiveIds,
    ReceiptsAnswer,
    SidechainClient,
)
from settlement.net.backoff import Waiter
from settlement.net.http_client import Limits, NodeError
from settlement.net.node_pool import Node, NodePool
from settlement.net.node_urls import distinct

POLL_SECONDS: Final = 1.0
SLOW_SECONDS: Final = 2.0
"""After this, another node is asked as well."""
EXECUTION_SECONDS: Final = 30.0
"""Waiting up to this for a block's execution is normal: the published node executes it about 9 s after it is
irreversible."""
AGREEING_NODES: Final = 2
_SHORTEST_PAUSE_SECONDS: Final = 0.025

SidechainNode = Node[SidechainClient]


class Sidechain:
    """Receipts on which enough Hive-Engine nodes agree, waited for as long as it takes."""

    def __init__(
        self,
        nodes: Sequence[str],
        waiter: Waiter | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
        limits: Limits = LIMITS,
    ) -> None:
        """`nodes` are URLs without the `/blockchain`. Raises ValueError without nodes."""
        self._waiter = waiter or Waiter()
        self._poll_seconds = poll_seconds
        self._slow_seconds = slow_seconds
        urls = [url.rstrip("/") for url in distinct(nodes)]
        members = [Node(url, SidechainClient(url, limits=limits)) for url in urls]
        self._pool = NodePool(members, self._waiter, "Hive-Engine")
        self._quorum = min(AGREEING_NODES, len(urls))

    def receipts(self, hive_number: int, block_id: str, hive_ids: HiveIds) -> Receipts | None:
        """The receipts of a Hive block, None for none; waits until enough nodes agree. Raises Stopped.

        `hive_ids` is asked for other blocks, to recognise a node that executed a dropped branch.
        """
        vote = _Vote(hive_number, block_id, hive_ids, self._quorum)
        dispute_pause = 0.0
        while True:
            self._ask(vote)
            if vote.pending:
                self._collect(vote)
                agreed = vote.agreed()
                if agreed is not None:
                    self._settle(vote, agreed)
                    return agreed.receipts
                continue
            if vote.behind:
                reason = vote.reason("not executed by the sidechain yet")
                self._waiter.pause(self._poll_seconds, reason, quiet_seconds=EXECUTION_SECONDS)
                vote.behind.clear()
            elif len(vote.answers) >= self._quorum:
                problem = vote.reason(f"{' and '.join(node.url for node in vote.answers)} disagree")
                self._pool.disputed(vote.answers, problem)
                dispute_pause = self._waiter.backoff.after(dispute_pause)
                self._waiter.pause(dispute_pause, problem)
                vote.answers.clear()
            else:
                silent = [node for node in self._pool.nodes if node not in vote.answers]
                pause = max(self._pool.seconds_until_available(silent), _SHORTEST_PAUSE_SECONDS)
                self._waiter.pause(pause, vote.reason(self._pool.error or "no node is available"))

    def _ask(self, vote: _Vote) -> None:
        """Ask as many nodes as could settle the vote: one more for each that is slow or disagrees."""
        for node in self._pool.available():
            if len(vote.pending) - len(vote.slow) >= max(1, self._quorum - vote.most_agreeing()):
                return
            if node not in vote.answers and node not in vote.pending and node not in vote.behind:
                vote.pending[node] = node.submit(vote.ask)

    def _collect(self, vote: _Vote) -> None:
        """Wait for an answer, and take all that are there."""
        awaited = vote.pending.values()
        if not self._waiter.first_done(awaited, vote.reason("no answer yet"), self._slow_seconds):
            vote.slow.update(vote.pending)
            for node in vote.pending:
                self._pool.deprioritize(node)
        for node, future in list(vote.pending.items()):
            if not future.done():
                continue
            del vote.pending[node]
            vote.slow.discard(node)
            try:
                answer = future.result()
            except NodeError as error:
                self._pool.failed(node, error)
                continue
            self._take(vote, node, answer)

    def _take(self, vote: _Vote, node: SidechainNode, answer: ReceiptsAnswer) -> None:
        orphan = answer.orphan(vote.hive_id)
        if orphan is not None:
            node.submit(lambda client: client.distrust(orphan))
            self._pool.failed(node, ForkedNodeError(node.url, orphan))
        elif answer.counts(vote.hive_id):
            vote.answers[node] = answer
        else:
            vote.behind.add(node)
            self._pool.deprioritize(node)

    def _settle(self, vote: _Vote, agreed: ReceiptsAnswer) -> None:
        self._waiter.done()
        for node, answer in vote.answers.items():
            if answer.content == agreed.content:
                self._pool.succeeded(node)
            else:
                self._pool.contradicted(node, vote.reason("other nodes agree on a different answer"))

    def report(self) -> list[dict[str, object]]:
        """Status of each node: see `NodePool.report`."""
        return self._pool.report()

    def close(self) -> None:
        """End the nodes' threads."""
        self._pool.close()


class _Vote:
    """The nodes' answers for one Hive block."""

    def __init__(self, hive_number: int, block_id: str, hive_ids: HiveIds, quorum: int) -> None:
        self.hive_number = hive_number
        self.block_id = block_id
        self._hive_ids = hive_ids
        self._known_ids: dict[int, str] = {}  # of other Hive blocks: several nodes ask for the same ones
        self.pending: dict[SidechainNode, Future[ReceiptsAnswer]] = {}
        self.slow: set[SidechainNode] = set()  # of those pending
        self.answers: dict[SidechainNode, ReceiptsAnswer] = {}  # final ones
        self.behind: set[SidechainNode] = set()  # without a final answer yet
        self._quorum = quorum

    def hive_id(self, number: int) -> str | None:
        """As HiveIds, each asked for once."""
        block_id = self._known_ids.get(number) or self._hive_ids(number)
        if block_id is not None:
            self._known_ids[number] = block_id
        return block_id

    def ask(self, client: SidechainClient) -> ReceiptsAnswer:
        """One node's answer. Raises NodeError."""
        return client.receipts(self.hive_number, self.block_id)

    def agreed(self) -> ReceiptsAnswer | None:
        """The answer that a quorum gave, None without one."""
        for answer in self.answers.values():
            if self._count(answer) >= self._quorum:
                return answer
        return None

    def most_agreeing(self) -> int:
        """The number of nodes behind the most frequent answer."""
        return max(map(self._count, self.answers.values()), default=0)

    def _count(self, answer: ReceiptsAnswer) -> int:
        return sum(answer.content == other.content for other in self.answers.values())

    def reason(self, detail: str) -> str:
        """What is waited for."""
        return f"receipts of block {self.hive_number}: {detail}"
