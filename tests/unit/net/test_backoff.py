"""Exponential backoff, interruptible waits, and the node pool's order and rests."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future

import pytest

from settlement.net.backoff import Backoff, Stopped, Waiter
from settlement.net.change_logger import ChangeLogger
from settlement.net.http_client import NodeError
from settlement.net.node_pool import Node, NodePool


def test_pauses_double_up_to_the_maximum() -> None:
    backoff = Backoff(0.5, 3.0)
    pauses = [backoff.after(0.0)]
    for _ in range(4):
        pauses.append(backoff.after(pauses[-1]))
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_requested_pause_is_respected_within_the_maximum() -> None:
    assert Backoff(0.5, 30.0).after(0.0, at_least=7.0) == 7.0
    assert Backoff(0.5, 30.0).after(0.0, at_least=1e9) == 30.0


def test_a_stop_event_ends_pauses_and_waits_for_futures() -> None:
    waiter = Waiter()
    never: Future[int] = Future()
    assert waiter.first_done([never], "an answer", 0.0) is False
    assert waiter.waiting is not None
    assert waiter.waiting.reason == "an answer"
    waiter.done()
    assert waiter.waiting is None
    waiter.stop.set()
    with pytest.raises(Stopped):
        waiter.pause(60, "a node")
    with pytest.raises(Stopped):
        waiter.result(never, "an answer")


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def pool_of(*urls: str, clock: Clock) -> NodePool[str]:
    waiter = Waiter(threading.Event(), now=clock)
    return NodePool([Node(url, url) for url in urls], waiter, "Hive")


def test_an_expected_wait_stays_quiet_until_it_ends() -> None:
    """Whatever else it waits for in between; the next wait is reported as usual."""
    waiter = Waiter(sleep=lambda _: False)
    waiter.pause(1, "no answer yet")
    assert waiter.waiting is not None
    since, usual = waiter.waiting.since, waiter.waiting.quiet_seconds
    waiter.pause(1, "not executed yet", quiet_seconds=10 * usual)
    waiter.pause(1, "no answer yet")
    assert (waiter.waiting.since, waiter.waiting.quiet_seconds) == (since, 10 * usual)
    waiter.done()
    waiter.pause(1, "no answer yet")
    assert waiter.waiting.quiet_seconds == usual


def test_a_node_that_fails_rests_longer_each_time_and_goes_to_the_end() -> None:
    clock = Clock()
    pool = pool_of("one", "two", clock=clock)
    one, two = pool.nodes
    for pause in (0.25, 0.5, 1.0):
        pool.failed(one, NodeError("away"))
        assert pool.available() == [two]
        clock.seconds += pause
        assert pool.available() == [two, one]
    pool.succeeded(one)
    pool.failed(one, NodeError("away", retry_after=5.0))
    assert pool.seconds_until_available([one]) == 5.0
    assert pool.seconds_until_available() == 0.0
    assert [node["state"] for node in pool.report()] == ["resting", "ok"]
    pool.failed(two, NodeError("busy"))
    assert pool.error == "away", "of the first node that fails"


def test_a_contradicted_node_rests_for_the_longest_pause() -> None:
    pool = pool_of("one", "two", clock=Clock())
    pool.contradicted(pool.nodes[0], "block 5")
    assert pool.seconds_until_available(pool.nodes[:1]) == 30.0
    assert pool.report()[0]["state"] == "disagrees"


def test_tasks_run_in_the_nodes_own_thread_and_their_errors_are_raised() -> None:
    node = Node("one", "client")
    names = {node.submit(lambda _: threading.current_thread().name).result(60) for _ in range(3)}
    assert names == {"node one"}

    def fail(_: str) -> None:
        raise NodeError("away")

    with pytest.raises(NodeError, match="away"):
        node.submit(fail).result(60)
    node.close()


def test_a_message_is_logged_only_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    changes = ChangeLogger(logging.getLogger("test"))
    for message in ("away", "away", "back", "away"):
        changes.log(message, "one")
    changes.log("away", "two")
    assert [record.getMessage() for record in caplog.records] == ["away", "back", "away", "away"]
