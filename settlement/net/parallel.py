"""Questions to several nodes: to all at once, or to one after the other without waiting for slow ones.

Each node has a thread of its own (`node_pool.Node`). Nodes that still work on an earlier request are asked
last, or not at all.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Final, TypeVar

from settlement.net.http_client import NodeError
from settlement.net.node_pool import Node

SLOW_SECONDS: Final = 2.0
"""After this another node is asked as well, and slow nodes are not awaited once half have answered."""

T = TypeVar("T")
K = TypeVar("K")
C = TypeVar("C")


def ask_all(
    nodes: Sequence[Node[C]], task: Callable[[C], T], seconds: float, slow_seconds: float = SLOW_SECONDS
) -> list[T]:
    """The answers of all nodes that give one, in the order of the nodes.

    Waits at most `seconds`, and `slow_seconds` once half of them have answered. Raises the first node's
    NodeError if there is no answer.
    """
    idle = [node for node in nodes if not node.is_busy] or list(nodes)
    futures = {node: node.submit(task) for node in idle}
    deadline = time.monotonic() + seconds
    pending = set(futures.values())
    is_shortened = False
    while pending and (left := deadline - time.monotonic()) > 0:
        pending = wait(pending, left, return_when=FIRST_COMPLETED).not_done
        answered = sum(future.done() and future.exception() is None for future in futures.values())
        if not is_shortened and 2 * answered >= len(nodes):
            is_shortened = True
            deadline = min(deadline, time.monotonic() + slow_seconds)
    failure: NodeError | None = None
    answers: list[T] = []
    for node, future in futures.items():
        try:
            answers.append(_result(node, future))
        except NodeError as error:
            failure = failure or error
    if failure is not None and not answers:
        raise failure
    return answers


def most_common(answers: Sequence[T]) -> T:
    """The answer that most nodes give, the first of several. Raises ValueError without answers."""
    return max(answers, key=answers.count)


def most_common_of_each(answers: Sequence[Mapping[K, T]]) -> dict[K, T]:
    """The same for each key, where most nodes have it."""
    keys = dict.fromkeys(key for answer in answers for key in answer)
    chosen = {key: most_common([answer.get(key) for answer in answers]) for key in keys}
    return {key: value for key, value in chosen.items() if value is not None}


def named_by_most(answers: Sequence[Collection[K]]) -> frozenset[K]:
    """What more than half of the answers contain: of two, both."""
    times = Counter(name for answer in answers for name in answer)
    return frozenset(name for name, count in times.items() if 2 * count > len(answers))


def ask_in_turn(
    nodes: Sequence[Node[C]], task: Callable[[C], T], seconds: float, slow_seconds: float = SLOW_SECONDS
) -> Iterator[tuple[Node[C], Callable[[], T]]]:
    """Each node with a function that gives its answer or raises its NodeError, as they come in.

    The next node is asked when the caller wants another answer, or when none came within `slow_seconds`.
    Ends when all have answered, or after `seconds`: nodes without an answer come last, with an error.
    """
    waiting = sorted(nodes, key=lambda node: node.is_busy)
    pending: dict[Future[T], Node[C]] = {}
    deadline = time.monotonic() + seconds
    while waiting or pending:
        if waiting:
            node = waiting.pop(0)
            pending[node.submit(task)] = node
        left = deadline - time.monotonic()
        done = wait(pending, min(left, slow_seconds) if waiting else left, return_when=FIRST_COMPLETED).done
        for future in done:
            yield _with_result(pending.pop(future), future)
        if not done and not waiting:
            break
    for future, node in pending.items():
        yield _with_result(node, future)


def first_answer(
    nodes: Sequence[Node[C]], task: Callable[[C], T], seconds: float, slow_seconds: float = SLOW_SECONDS
) -> tuple[Node[C], T]:
    """The first answer, and its node. Raises the first NodeError, and ValueError without nodes."""
    failure: NodeError | None = None
    for node, result in ask_in_turn(nodes, task, seconds, slow_seconds):
        try:
            return node, result()
        except NodeError as error:
            failure = failure or error
    raise failure or ValueError("no nodes")


def _with_result(node: Node[C], future: Future[T]) -> tuple[Node[C], Callable[[], T]]:
    return node, lambda: _result(node, future)


def _result(node: Node[C], future: Future[T]) -> T:
    if not future.done():
        raise NodeError(f"{node.url}: no answer in time")
    return future.result()
