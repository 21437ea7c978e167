"""Asking Hive-Engine nodes what the sidechain did for one Hive block (protocol, section 3).

The answer "nothing" counts only from a node that has executed past the block and still keeps it. Where there
are several nodes, two must say the same; until then we wait, without limit and without a guess.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from indexer.chain.receipts import Receipts
from indexer.sources.backoff import NodeError, Patience
from indexer.sources.node_pool import Node, Pool
from indexer.sources.sidechain_client import ANSWER_SECONDS, CONNECT_SECONDS, EngineClient, Look

POLL_SECONDS: Final = 1.0
SLOW_SECONDS: Final = 2.0
"""A node that takes longer than this is not waited for alone: another one is asked."""
MOST_NEEDED: Final = 2

log = logging.getLogger("peakedex.nodes")

EngineNode = Node[EngineClient]


class Sidechain:
    """Receipts from Hive-Engine nodes, waiting for them as long as it takes."""

    def __init__(
        self,
        nodes: Sequence[str],
        patience: Patience | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """`nodes` are URLs without the `/blockchain`. Raises ValueError if there are none."""
        self._patience = patience or Patience()
        self._poll_seconds = poll_seconds
        self._slow_seconds = slow_seconds
        timeouts = {"connect_seconds": connect_seconds, "answer_seconds": answer_seconds}
        urls = dict.fromkeys(node.rstrip("/") for node in nodes)
        self._pool = Pool(
            [Node(url, EngineClient(url, **timeouts)) for url in urls], self._patience, "Hive-Engine"
        )
        self._needed = min(MOST_NEEDED, len(urls))

    def receipts(self, hive_number: int) -> Receipts | None:
        """What the sidechain did for a Hive block, None if nothing; waits until enough nodes say the same.

        Raises Stopped.
        """
        poll = _Poll(hive_number, self._needed)
        dispute_pause = 0.0
        while True:
            self._ask_more(poll)
            if poll.pending:
                self._listen(poll)
                found = poll.agreed()
                if found is not None:
                    self._settle(poll, found)
                    return found.receipts
                continue
            if poll.behind:
                reason = poll.reason("the sidechain has not executed it")
                self._patience.pause(self._poll_seconds, reason)
                poll.behind.clear()
            elif len(poll.said) >= self._needed:
                names = " and ".join(node.url for node in poll.said)
                problem = poll.reason(f"{names} disagree")
                self._pool.disputed(poll.said, problem)
                dispute_pause = self._patience.next_pause(dispute_pause)
                self._patience.pause(dispute_pause, problem)
                poll.said.clear()
            else:
                rest = self._rest_of_silent(poll)
                self._patience.pause(rest, poll.reason(self._pool.last_error or "no node is ready"))

    def _ask_more(self, poll: _Poll) -> None:
        """Ask as many nodes as could decide: one more for each that is slow or says otherwise."""
        for node in self._pool.ready():
            if len(poll.pending) - len(poll.slow) >= max(1, self._needed - poll.most_agreeing()):
                return
            if node not in poll.said and node not in poll.pending and node not in poll.behind:
                poll.pending[node] = node.ask(lambda client: client.look(poll.number))

    def _listen(self, poll: _Poll) -> None:
        awaited = poll.pending.values()
        if not self._patience.any(awaited, poll.reason("no answer yet"), self._slow_seconds):
            poll.slow.update(poll.pending)
            for node in poll.pending:
                self._pool.slow(node)
        for node, future in list(poll.pending.items()):
            if not future.done():
                continue
            del poll.pending[node]
            poll.slow.discard(node)
            try:
                look = future.result()
            except NodeError as error:
                self._pool.failed(node, error)
                continue
            if look.is_final:
                poll.said[node] = look
            else:
                poll.behind.add(node)
                self._pool.slow(node)

    def _settle(self, poll: _Poll, found: Look) -> None:
        self._patience.arrived()
        for node, look in poll.said.items():
            if look.content == found.content:
                self._pool.worked(node)
            else:
                self._pool.contradicted(node, poll.reason("others agree with each other on something else"))

    def _rest_of_silent(self, poll: _Poll) -> float:
        """Seconds until a node may be asked that has not spoken."""
        now = self._patience.now()
        rests = [node.until - now for node in self._pool.nodes if node not in poll.said]
        return max(min(rests, default=0.0), self._patience.first_pause / 10)

    def report(self) -> list[dict[str, object]]:
        """How each node is: see `Pool.report`."""
        return self._pool.report()

    def close(self) -> None:
        """Let the threads end."""
        self._pool.close()


class _Poll:
    """What the nodes say of one Hive block."""

    def __init__(self, number: int, needed: int) -> None:
        self.number = number
        self.pending: dict[EngineNode, Future[Look]] = {}
        self.slow: set[EngineNode] = set()  # of those pending
        self.said: dict[EngineNode, Look] = {}
        self.behind: set[EngineNode] = set()
        self._needed = needed

    def agreed(self) -> Look | None:
        """The answer that enough nodes gave."""
        for look in self.said.values():
            if self._votes(look) >= self._needed:
                return look
        return None

    def most_agreeing(self) -> int:
        """How many nodes gave the answer that most gave."""
        return max(map(self._votes, self.said.values()), default=0)

    def _votes(self, look: Look) -> int:
        return sum(look.content == other.content for other in self.said.values())

    def reason(self, detail: str) -> str:
        """What is waited for, for people."""
        return f"receipts of block {self.number}: {detail}"
