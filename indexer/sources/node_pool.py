"""Nodes that fail: each with a thread of its own, rested when it fails, and tried again later.

A node that does not answer as it should is left alone for a growing pause; one that contradicts others is
left alone for the longest. Nobody waits for a slow node longer than they like: its thread does.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Final, Generic, Literal, TypeVar

from indexer.sources.backoff import NodeError, Patience

State = Literal["ok", "resting", "disagrees"]
SHOWN_CHARACTERS: Final = 300
QUIET_SECONDS: Final = 1.0

T = TypeVar("T")
C = TypeVar("C")

log = logging.getLogger("peakedex.nodes")


class Node(Generic[C]):
    """One node: its URL, and the client that only its own thread uses."""

    def __init__(self, url: str, client: C) -> None:
        self.url = url
        self.client = client
        self.state: State = "ok"
        self.error: str | None = None
        self.is_told = False  # whether the log says that it fails
        self.pause = 0.0  # seconds of the last rest
        self.until = 0.0  # end of the rest, by the patience's clock
        self.until_time: float | None = None  # the same in seconds since 1970, for people
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, task: Callable[[C], T]) -> Future[T]:
        """Do something with the client, in the node's own thread, after what it was asked before."""
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
                    future.set_exception(RuntimeError(f"{self.url}: asking it failed, see the log"))

        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name=f"node {self.url}", daemon=True)
            self._thread.start()
        self._tasks.put(run)
        return future

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    @property
    def is_well(self) -> bool:
        """Whether its last answer was as it should be."""
        return self.state == "ok"

    def close(self) -> None:
        """Let the thread end, once it is done with what it was asked."""
        self._tasks.put(None)

    def __repr__(self) -> str:
        return f"Node({self.url}, {self.state})"


class Pool(Generic[C]):
    """The nodes of one kind, the best first, and which of them are left alone for now.

    For one thread; only `report` may be called from another.
    """

    def __init__(self, nodes: Iterable[Node[C]], patience: Patience, kind: str) -> None:
        """`kind` names them in texts: "Hive", "Hive-Engine". Raises ValueError if there are none."""
        self.nodes = tuple(nodes)
        self.kind = kind
        self._order = list(self.nodes)
        self._patience = patience
        self.last_error: str | None = None
        if not self.nodes:
            raise ValueError(f"no {kind} nodes given")

    def ready(self) -> list[Node[C]]:
        """Those that are not resting, the one that worked last before those that failed."""
        now = self._patience.now()
        return [node for node in self._order if node.until <= now]

    def seconds_to_rest(self) -> float:
        """How long it takes until the first resting node may be asked; 0 where one is ready."""
        return max(0.0, min(node.until for node in self.nodes) - self._patience.now())

    def worked(self, node: Node[C]) -> None:
        """It answered as it should."""
        if node.is_told:
            log.info("%s node is back: %s", self.kind, node.url)
        node.is_told = False
        node.state, node.error, node.pause, node.until, node.until_time = "ok", None, 0.0, 0.0, None

    def failed(self, node: Node[C], error: NodeError, *, quietly: bool = False) -> None:
        """It did not answer as it should: it rests, longer each time, and others go before it.

        `quietly` leaves the first failures out of the log: a node may be a block behind for a moment.
        """
        if node.until > self._patience.now():
            return  # told before: two questions failed at once
        pause = max(self._patience.next_pause(node.pause), error.retry_after or 0.0)
        if not node.is_told and (not quietly or node.pause >= QUIET_SECONDS):
            node.is_told = True
            log.warning("%s node fails: %s", self.kind, error)
        self._rest(node, "resting", str(error), pause)

    def slow(self, node: Node[C]) -> None:
        """It keeps us waiting: others go before it."""
        self._order.remove(node)
        self._order.append(node)

    def contradicted(self, node: Node[C], problem: str) -> None:
        """Others say otherwise, in agreement with each other: it rests as long as any node does."""
        node.is_told = True
        log.warning("%s node disagrees: %s: %s", self.kind, node.url, problem)
        self._rest(node, "disagrees", problem, self._patience.longest_pause)

    def disputed(self, nodes: Iterable[Node[C]], problem: str) -> None:
        """They contradict each other, and nobody can tell who is right: they are asked again."""
        if self.last_error != problem:
            log.warning("%s nodes disagree: %s", self.kind, problem)
        self.last_error = problem
        for node in nodes:
            node.state, node.error, node.is_told = "disagrees", problem[:SHOWN_CHARACTERS], True

    def _rest(self, node: Node[C], state: State, error: str, pause: float) -> None:
        node.state, node.error = state, error[:SHOWN_CHARACTERS]
        node.pause = min(pause, self._patience.longest_pause)
        node.until = self._patience.now() + node.pause
        node.until_time = time.time() + node.pause
        self.last_error = node.error
        self.slow(node)

    def report(self) -> list[dict[str, object]]:
        """For health: each node's url, state, last error, and until when it rests (seconds since 1970)."""
        return [
            {
                "url": node.url,
                "kind": self.kind,
                "state": node.state,
                "error": node.error,
                "rested_until": None if node.until_time is None else int(node.until_time),
            }
            for node in self.nodes
        ]

    def close(self) -> None:
        """Let the threads end."""
        for node in self.nodes:
            node.close()


def report_text(*reports: list[dict[str, object]]) -> str:
    """The reports of several pools as one JSON array."""
    return json.dumps([node for report in reports for node in report])
