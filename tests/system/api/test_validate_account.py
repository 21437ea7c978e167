"""/api/validate_account: cached, with bounded waiting, and without delaying other endpoints."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from api.routes.accounts.validate_account import (
    ABSENT_SECONDS,
    MAX_FAILURES,
    MAX_WAITING,
    PAUSE_SECONDS,
    AccountLookup,
    BeemNodes,
    LookupFailed,
    LookupResult,
)
from indexer.devnet.server import Devnet, start_devnet
from tests.support.waiting import wait_until
from tests.system.api.described import Described
from tests.system.api.world import World


class Node:
    """Stands in for the nodes: knows some accounts, can be away or hang, and counts who asks."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.asked: list[str] = []
        self.away = False
        self.goes_on = threading.Event()
        self.goes_on.set()

    def __call__(self, name: str) -> bool:
        self.asked.append(name)
        self.goes_on.wait(60)
        if self.away:
            raise LookupFailed("away")
        return name in self.names


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node("alice")
    yield node
    node.goes_on.set()


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_name_that_cannot_be_one_is_never_asked_for(node: Node) -> None:
    accounts = AccountLookup(node)
    for name in ("Al", "ALICE", "a" * 17, "alice!", "é", "al\x00ice"):
        assert accounts.find(name) == (False, None, "name")
    assert node.asked == []


def test_an_account_that_exists_is_asked_for_once(node: Node, clock: Clock) -> None:
    accounts = AccountLookup(node, clock, clock)
    assert accounts.find("alice") == (True, 1_790_000_000, "node")
    clock.now += 10 * 86_400
    assert accounts.find("alice") == (True, 1_790_000_000, "cache")
    assert node.asked == ["alice"]


def test_one_that_does_not_may_be_made(node: Node, clock: Clock) -> None:
    accounts = AccountLookup(node, clock, clock)
    assert accounts.find("bobby").exists is False
    clock.now += ABSENT_SECONDS - 1
    assert accounts.find("bobby").source == "cache"
    node.names.add("bobby")
    clock.now += 2
    assert accounts.find("bobby")[::2] == (True, "node")
    assert node.asked == ["bobby", "bobby"]


def test_nodes_that_fail_are_left_alone_for_a_while(node: Node, clock: Clock) -> None:
    accounts = AccountLookup(node, clock, clock)
    node.away = True
    for _ in range(MAX_FAILURES + 3):
        assert accounts.find("alice") == (None, None, "unavailable")
    assert len(node.asked) == MAX_FAILURES
    clock.now += PAUSE_SECONDS + 1
    assert accounts.find("alice").exists is None  # one finds out for all
    assert accounts.find("bobby").exists is None
    assert len(node.asked) == MAX_FAILURES + 1
    node.away = False
    clock.now += PAUSE_SECONDS + 1
    assert accounts.find("alice").exists is True
    assert accounts.find("bobby").exists is False


def test_what_is_known_stays_known_while_no_node_answers(node: Node, clock: Clock) -> None:
    accounts = AccountLookup(node, clock, clock)
    accounts.find("alice")
    node.away = True
    for _ in range(MAX_FAILURES + 1):
        accounts.find("bobby")
    assert accounts.find("alice") == (True, 1_790_000_000, "cache")


def test_few_wait_and_the_others_are_told_at_once(node: Node) -> None:
    accounts = AccountLookup(node)
    node.goes_on.clear()
    results: list[LookupResult] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(accounts.find(f"name{n}")))
        for n in range(MAX_WAITING + 5)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(results) == 5)
    assert set(results) == {(None, None, "unavailable")}
    node.goes_on.set()
    for thread in threads:
        thread.join(60)
    assert [result.source for result in results[5:]] == ["node"] * MAX_WAITING
    assert accounts.find("alice").exists is True


def test_a_request_waits_only_for_some_time(node: Node) -> None:
    accounts = AccountLookup(node, wait_seconds=0.2)
    node.goes_on.clear()
    started = time.monotonic()
    assert accounts.find("alice") == (None, None, "unavailable")
    assert time.monotonic() - started > 0.15


def test_the_same_question_is_put_once(node: Node) -> None:
    accounts = AccountLookup(node)
    node.goes_on.clear()
    found: list[LookupResult] = []
    threads = [
        threading.Thread(target=lambda: found.append(accounts.find("alice"))) for _ in range(MAX_WAITING)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: node.asked)
    node.goes_on.set()
    for thread in threads:
        thread.join(60)
    assert node.asked == ["alice"]
    assert [each.exists for each in found] == [True] * MAX_WAITING


# ---------------------------------------------------------------- by beem, over HTTP


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    devnet = start_devnet(block_time=1.0)
    devnet.node.faucet("alice", "HIVE", "1")
    yield devnet
    devnet.stop()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A node that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_beem_asks_a_node(devnet: Devnet, world: World) -> None:
    client = world.client(hive_nodes=(devnet.url,))
    answer = client.get("/api/validate_account?username=alice")
    assert answer.json == {
        "username": "alice",
        "valid_name": True,
        "exists": True,
        "checked_ts": "2026-09-21T14:13:55Z",
        "source": "node",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/api/validate_account?username=alice").json["source"] == "cache"
    assert client.get("/api/validate_account?username=nobody.yet").json["exists"] is False
    odd = client.get("/api/validate_account?username=%3Cb%3E%00")
    assert (odd.json["valid_name"], odd.json["exists"], odd.json["username"]) == (False, False, "<b>\x00")
    Described(client).check_answer("/api/validate_account", odd)


def test_a_silent_node_is_left_for_the_next(devnet: Devnet, silent: socket.socket) -> None:
    nodes = BeemNodes([f"http://127.0.0.1:{silent.getsockname()[1]}", devnet.url], timeout_seconds=2)
    assert nodes("alice") is True
    silent.accept()[0].close()
    assert nodes("nobody.yet") is False
    with pytest.raises(BlockingIOError):  # the one that answered comes first now
        silent.accept()


def test_without_nodes_nothing_is_known(world: World) -> None:
    answer = world.client().get("/api/validate_account?username=alice")
    assert (answer.status_code, answer.json["exists"], answer.json["source"]) == (200, None, "unavailable")
    assert answer.json["checked_ts"] is None
