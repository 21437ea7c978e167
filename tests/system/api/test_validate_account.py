"""Whether an account exists: cached, bounded in every way, and never at the cost of another path."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import api.routes.accounts.validate_account as module
from api.routes.accounts.validate_account import (
    ABSENT_SECONDS,
    FAILURES,
    MOST_WAITING,
    REST_SECONDS,
    Accounts,
    BeemNodes,
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
            raise ConnectionError("away")
        return name in self.names


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node("alice")
    yield node
    node.goes_on.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Time that only goes on when it is told to, for both clocks that the module reads."""
    now = [1_790_000_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    advance.now = lambda: now[0]  # type: ignore[attr-defined]
    return advance


def test_a_name_that_cannot_be_one_is_never_asked_for(node: Node) -> None:
    accounts = Accounts(node)
    for name in ("Al", "ALICE", "a" * 17, "alice!", "é", "al\x00ice"):
        assert accounts.find(name) == (False, None, "name")
    assert node.asked == []


def test_an_account_that_exists_is_asked_for_once(node: Node, clock) -> None:
    accounts = Accounts(node, clock.now)
    assert accounts.find("alice") == (True, 1_790_000_000, "node")
    clock(10 * 86_400)
    assert accounts.find("alice") == (True, 1_790_000_000, "cache")
    assert node.asked == ["alice"]


def test_one_that_does_not_may_be_made(node: Node, clock) -> None:
    accounts = Accounts(node, clock.now)
    assert accounts.find("bobby").exists is False
    clock(ABSENT_SECONDS - 1)
    assert accounts.find("bobby").source == "cache"
    node.names.add("bobby")
    clock(2)
    assert accounts.find("bobby")[::2] == (True, "node")
    assert node.asked == ["bobby", "bobby"]


def test_nodes_that_fail_are_left_alone_for_a_while(node: Node, clock) -> None:
    accounts = Accounts(node, clock.now)
    node.away = True
    for _ in range(FAILURES + 3):
        assert accounts.find("alice") == (None, None, "unavailable")
    assert len(node.asked) == FAILURES
    clock(REST_SECONDS + 1)
    assert accounts.find("alice").exists is None  # one finds out for all
    assert accounts.find("bobby").exists is None
    assert len(node.asked) == FAILURES + 1
    node.away = False
    clock(REST_SECONDS + 1)
    assert accounts.find("alice").exists is True
    assert accounts.find("bobby").exists is False


def test_what_is_known_stays_known_while_no_node_answers(node: Node, clock) -> None:
    accounts = Accounts(node, clock.now)
    accounts.find("alice")
    node.away = True
    for _ in range(FAILURES + 1):
        accounts.find("bobby")
    assert accounts.find("alice") == (True, 1_790_000_000, "cache")


def test_few_wait_and_the_others_are_told_at_once(node: Node) -> None:
    accounts = Accounts(node)
    node.goes_on.clear()
    threads = [threading.Thread(target=accounts.find, args=(f"name{n}",)) for n in range(MOST_WAITING)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(node.asked) == 2)  # as many as there are threads for it
    wait_until(lambda: accounts._waiting._value == 0)
    started = time.monotonic()
    assert accounts.find("alice") == (None, None, "unavailable")
    assert time.monotonic() - started < 0.5
    node.goes_on.set()
    for thread in threads:
        thread.join(60)
    assert accounts.find("alice").exists is True


def test_nobody_waits_longer_than_was_said(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.2)
    accounts = Accounts(node)
    node.goes_on.clear()
    started = time.monotonic()
    assert accounts.find("alice") == (None, None, "unavailable")
    assert 0.15 < time.monotonic() - started < 5


def test_the_same_question_is_put_once(node: Node) -> None:
    accounts = Accounts(node)
    node.goes_on.clear()
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(accounts.find("alice"))) for _ in range(MOST_WAITING)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: accounts._waiting._value == 0)
    node.goes_on.set()
    for thread in threads:
        thread.join(60)
    assert node.asked == ["alice"]
    assert [each[0] for each in found] == [True] * MOST_WAITING


# ---------------------------------------------------------------- by beem, over HTTP


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    devnet = start_devnet(block_time=1.0)
    devnet.node.faucet("alice", "HIVE", "1")
    yield devnet
    devnet.stop()


@pytest.fixture
def silent() -> Iterator[str]:
    """A node that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


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


def test_a_silent_node_is_left_for_the_next(
    devnet: Devnet, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NODE_SECONDS", 0.3)
    nodes = BeemNodes([silent, devnet.url])
    assert nodes("alice") is True
    started = time.monotonic()
    assert nodes("nobody.yet") is False
    assert time.monotonic() - started < 0.3  # the one that answered comes first now


def test_without_nodes_nothing_is_known(world: World) -> None:
    answer = world.client().get("/api/validate_account?username=alice")
    assert (answer.status_code, answer.json["exists"], answer.json["source"]) == (200, None, "unavailable")
    assert answer.json["checked_ts"] is None
