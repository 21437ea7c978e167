"""RPC node pool: one worker thread per node, exponential backoff on failure.

A node that fails rests for a growing pause; one that contradicts others, or belongs to another chain, rests
for the longest. Requests run in the node's own thread, so that a slow node delays only those that wait for
its future. While a late request runs, the node gets no further ones.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Final, Generic, Literal, TypeVar

from settlement.net.backoff import Waiter
from settlement.net.chain_id import OtherChainError
from settlement.net.change_logger import ChangeLogger
from settlement.net.http_client import NodeError

State = Literal["ok", "resting", "disagrees"]
ERROR_CHARACTERS: Final = 300
QUIET_SECONDS: Final = 1.0

T = TypeVar("T")
C = TypeVar("C")

log = logging.getLogger("peakedex.nodes")


class Node(Generic[C]):
    """One node: its URL, its client (used in the node's thread alone), and how it is."""

    def __init__(self, url: str, client: C) -> None:
        self.url = url
        self.client = client
        self.state: State = "ok"
        self.error: str | None = None  # of the last failure
        self.failure_logged = False
        self.pause_seconds = 0.0  # of the last rest
        self.rests_until = 0.0  # by the waiter's clock
        self.rests_until_time: float | None = None  # the same in seconds since 1970
        self.late: Future[Any] | None = None  # a request that takes long
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: Future[Any] | None = None  # the last request submitted

    def submit(self, task: Callable[[C], T]) -> Future[T]:
        """Run `task` in the node's thread, after those submitted before. The future may raise NodeError."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(task(self.client))
            except NodeError as error:
                future.set_exception(error)
            finally:
                if not future.done():  # a bug: its traceback goes to the log
                    future.set_exception(RuntimeError(f"{self.url}: a request failed, see the log"))

        if self._thread is None or not self._thread.is_alive():
            # A daemon, unlike the threads of an executor: a slow node must not delay the process's exit.
            self._thread = threading.Thread(target=self._work, name=f"node {self.url}", daemon=True)
            self._thread.start()
        self._last = future
        self._tasks.put(run)
        return future

    @property
    def is_busy(self) -> bool:
        """Whether a submitted request has not ended yet."""
        return self._last is not None and not self._last.done()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    @property
    def is_ok(self) -> bool:
        """Whether its last answer was usable and uncontradicted."""
        return self.state == "ok"

    def close(self) -> None:
        """End the thread after the tasks submitted so far."""
        self._tasks.put(None)

    def __repr__(self) -> str:
        return f"Node({self.url}, {self.state})"


class NodePool(Generic[C]):
    """The nodes of one kind in order of preference. Not thread-safe, except `report`."""

    def __init__(self, nodes: Iterable[Node[C]], waiter: Waiter, kind: str) -> None:
        """`kind` names them in messages: "Hive", "Hive-Engine". Raises ValueError without nodes."""
        self.nodes = tuple(nodes)
        self.kind = kind
        self._order = list(self.nodes)
        self._waiter = waiter
        self._disputes = ChangeLogger(log)
        if not self.nodes:
            raise ValueError(f"no {kind} nodes given")

    @property
    def error(self) -> str | None:
        """Error of the first failing node: stable while several fail, so that reports do not alternate."""
        return next((node.error for node in self.nodes if node.error is not None), None)

    def available(self) -> list[Node[C]]:
        """The nodes that neither rest nor work on a late request, the best first."""
        for node in self.nodes:
            self._finish_late(node)
        now = self._waiter.now()
        return [node for node in self._order if node.late is None and node.rests_until <= now]

    def seconds_until_available(self, nodes: Iterable[Node[C]] | None = None) -> float:
        """Seconds until the first of the nodes (default: of all) ends its rest; 0 where one is available."""
        rests = [node.rests_until for node in (self.nodes if nodes is None else nodes)]
        return max(0.0, min(rests, default=0.0) - self._waiter.now())

    def answered(self, node: Node[C]) -> None:
        """Record an answer to any request: it ends a rest, though not a contradiction.

        The next failure still gets a longer pause, unless the node has worked for a while: another kind of
        request may go on failing.
        """
        if node.state != "resting":
            return
        if self._waiter.now() - node.rests_until > self._waiter.backoff.max_seconds:
            self.succeeded(node)
        else:
            node.state, node.error, node.rests_until_time = "ok", None, None

    def succeeded(self, node: Node[C]) -> None:
        """Record a usable answer, uncontradicted by others."""
        if node.failure_logged:
            log.info("%s node recovered: %s", self.kind, node.url)
        node.failure_logged = False
        node.state, node.error = "ok", None
        node.pause_seconds, node.rests_until, node.rests_until_time = 0.0, 0.0, None

    def failed(self, node: Node[C], error: NodeError, *, quietly: bool = False) -> None:
        """Record a failure: the node rests, longer each time, and goes to the end of the order.

        `quietly` logs only failures that last: a node may be a block behind for a moment.
        """
        if node.rests_until > self._waiter.now():
            return  # a second request that failed at the same time
        if isinstance(error, OtherChainError):
            if not node.failure_logged:
                log.error("%s node refused: %s", self.kind, error)
            node.failure_logged = True
            self._rest(node, "resting", str(error), self._waiter.backoff.max_seconds)
            return
        pause = self._waiter.backoff.after(node.pause_seconds, error.retry_after)
        if not node.failure_logged and (not quietly or node.pause_seconds >= QUIET_SECONDS):
            node.failure_logged = True
            log.warning("%s node fails: %s", self.kind, error)
        self._rest(node, "resting", str(error), pause)

    def late(self, node: Node[C], request: Future[Any]) -> None:
        """Record a request that takes long: until it ends, the node is not available."""
        node.late = request
        self.deprioritize(node)

    def _finish_late(self, node: Node[C]) -> None:
        request = node.late
        if request is None or not request.done():
            return
        node.late = None
        error = None if request.cancelled() else request.exception()
        if isinstance(error, NodeError):
            self.failed(node, error)

    def deprioritize(self, node: Node[C]) -> None:
        """Move a slow node to the end of the order."""
        self._order.remove(node)
        self._order.append(node)

    def contradicted(self, node: Node[C], problem: str) -> None:
        """Record that other nodes agree on a different answer: the node rests for the longest pause."""
        node.failure_logged = True
        log.warning("%s node disagrees: %s: %s", self.kind, node.url, problem)
        self._rest(node, "disagrees", problem, self._waiter.backoff.max_seconds)

    def disputed(self, nodes: Iterable[Node[C]], problem: str) -> None:
        """Record that nodes contradict each other without a majority. They do not rest."""
        self._disputes.log(f"{self.kind} nodes disagree: {problem}")
        for node in nodes:
            node.state, node.error, node.failure_logged = "disagrees", problem[:ERROR_CHARACTERS], True

    def _rest(self, node: Node[C], state: State, error: str, seconds: float) -> None:
        node.state, node.error = state, error[:ERROR_CHARACTERS]
        node.pause_seconds = seconds
        node.rests_until = self._waiter.now() + seconds
        node.rests_until_time = time.time() + seconds
        self.deprioritize(node)

    def report(self) -> list[dict[str, object]]:
        """Status of each node for health: url, kind, state, last error, end of rest (seconds since 1970)."""
        return [
            {
                "url": node.url,
                "kind": self.kind,
                "state": node.state,
                "error": node.error,
                "rested_until": None if node.rests_until_time is None else int(node.rests_until_time),
            }
            for node in self.nodes
        ]

    def close(self) -> None:
        """End the nodes' threads."""
        for node in self.nodes:
            node.close()


def report_json(*reports: list[dict[str, object]]) -> str:
    """The reports of several pools as one JSON array."""
    return json.dumps([node for report in reports for node in report])
