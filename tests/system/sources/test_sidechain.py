"""Asking the sidechain: "nothing" counts only from a node that is past the block and still keeps it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import permutations
from typing import Any

import pytest

from indexer.sources.sidechain import Sidechain
from settlement.net.backoff import Stopped
from settlement.net.http_client import Limits
from tests.support import blocks as chain
from tests.system.sources import server
from tests.system.sources.server import Node, Pauses, Raw, Text


class Engine:
    """A Hive-Engine node's view: which Hive blocks it has receipts for, and how far it is."""

    def __init__(self, *has: int, latest: int, parsed: int = 0, **status: Any) -> None:
        self.has = set(has)
        self.latest = latest
        self.status = {"lastParsedHiveBlockNumber": parsed, **status}

    def __call__(self, method: str, params: Any) -> Any:
        if method == "getBlockInfoByHiveBlock":
            number = params["hiveBlockNumber"]
            return Text(chain.receipts(number, {})) if number in self.has else None
        if method == "getLatestBlockInfo":
            return {"blockNumber": 5, "refHiveBlockNumber": self.latest, "transactions": []}
        if method == "getBlockInfo":
            return {"blockNumber": params["blockNumber"], "refHiveBlockNumber": 100 * params["blockNumber"]}
        assert method == "getStatus"
        return self.status


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Node]]:
    with ExitStack() as stack:
        yield lambda engine: stack.enter_context(server.serve(Node(engine)))


def sidechain_of(*nodes: Node | str, pauses: Pauses | None = None) -> Sidechain:
    urls = [node if isinstance(node, str) else node.url + "/" for node in nodes]
    return Sidechain(urls, (pauses or Pauses(most=5)).waiter(), limits=Limits(2, 2))


def methods(node: Node) -> list[str]:
    return [method for method, _ in node.requests]


def test_receipts_are_given_as_soon_as_they_are_there(serve: Callable[[Any], Node]) -> None:
    node = serve(Engine(500, latest=500))
    receipts = sidechain_of(node).receipts(500)
    assert receipts is not None
    assert receipts.hive_number == 500
    assert methods(node) == ["getBlockInfoByHiveBlock"]


@pytest.mark.parametrize("engine", [Engine(latest=501), Engine(latest=400, parsed=501)])
def test_nothing_is_the_answer_of_a_node_that_is_past_the_block(
    serve: Callable[[Any], Node], engine: Engine
) -> None:
    node = serve(engine)
    sidechain = sidechain_of(node)
    assert sidechain.receipts(500) is None
    asked = len(node.requests)
    assert sidechain.receipts(499) is None
    assert len(node.requests) == asked + 1, "how far the node is needs asking once"


@pytest.mark.parametrize("engine", [Engine(latest=499), Engine(latest=400, parsed=500)])
def test_nothing_from_a_node_that_is_not_past_the_block_is_waited_out(
    serve: Callable[[Any], Node], engine: Engine
) -> None:
    """The block that a node is at work on does not count as done."""
    node = serve(engine)

    def later(count: int) -> None:
        reasons.append(waiter.waiting)
        if count == 3:
            engine.has.add(500)

    reasons: list[Any] = []
    waiter = Pauses(later).waiter()
    receipts = Sidechain([node.url], waiter, poll_seconds=0.5).receipts(500)
    assert receipts is not None
    assert [waiting.reason for waiting in reasons] == [
        "receipts of block 500: not executed by the sidechain yet"
    ] * 3
    assert waiter.waiting is None


def test_a_block_executed_between_two_questions_is_not_missed(serve: Callable[[Any], Node]) -> None:
    engine = Engine(latest=500)

    def answer(method: str, params: Any) -> Any:
        result = engine(method, params)
        if method == "getBlockInfoByHiveBlock":
            engine.has.add(500)
            engine.latest = 501
        return result

    assert sidechain_of(serve(answer)).receipts(500) is not None


def test_a_node_that_lags_is_left_for_one_that_does_not(serve: Callable[[Any], Node]) -> None:
    behind, ahead, other = (serve(Engine(latest=400)), *(serve(Engine(500, latest=600)) for _ in range(2)))
    pauses = Pauses()
    sidechain = sidechain_of(behind, ahead, other, pauses=pauses)
    assert sidechain.receipts(500) is not None
    assert pauses.seconds == []
    assert sidechain.receipts(500) is not None
    assert len(behind.requests) == 3, "it goes behind the others"


def test_of_two_nodes_both_must_have_executed_the_block(serve: Callable[[Any], Node]) -> None:
    lagging = Engine(latest=400)

    def later(count: int) -> None:
        if count == 3:
            lagging.has.add(500)

    pauses = Pauses(later)
    assert sidechain_of(serve(lagging), serve(Engine(500, latest=600)), pauses=pauses).receipts(500)
    assert len(pauses.seconds) == 3


def disagreeing(quantity: str) -> Callable[[str, Any], Any]:
    """A node that has receipts of its own for every block."""
    logs = {"ab": [chain.moved("alice", chain.ESCROW, quantity)]}
    return lambda method, params: Text(chain.receipts(params["hiveBlockNumber"], logs))


def test_nodes_that_disagree_are_asked_again_with_growing_pauses_until_they_agree(
    serve: Callable[[Any], Node],
) -> None:
    one, other = serve(disagreeing("1")), serve(disagreeing("2"))
    said = []

    def later(count: int) -> None:
        said.append(waiter.waiting)
        if count == 4:
            other.answer = disagreeing("1")

    pauses = Pauses(later)
    waiter = pauses.waiter()
    sidechain = Sidechain([one.url, other.url], waiter)
    assert sidechain.receipts(500) is not None
    assert pauses.seconds == [0.25, 0.5, 1, 2]
    assert all(waiting is not None and "receipts of block 500: http" in waiting.reason for waiting in said)
    assert {node["state"] for node in sidechain.report()} == {"ok"}


def test_of_three_nodes_two_that_agree_decide_and_the_third_is_named(
    serve: Callable[[Any], Node], caplog: pytest.LogCaptureFixture
) -> None:
    for order in permutations(["1", "2", "1"]):
        nodes = [serve(disagreeing(quantity)) for quantity in order]
        pauses = Pauses()
        sidechain = sidechain_of(*nodes, pauses=pauses)
        receipts = sidechain.receipts(500)
        assert receipts is not None
        assert receipts.logs_of("ab")[0]["data"]["quantity"] == "1"  # type: ignore[index]
        assert pauses.seconds == []
        liar = nodes[order.index("2")]
        if liar.requests:
            state = {node["url"]: node["state"] for node in sidechain.report()}
            assert state[liar.url] == "disagrees"
            assert liar.url in caplog.text


def test_what_is_no_event_of_theirs_may_differ(serve: Callable[[Any], Node]) -> None:
    """The texts of errors, the order of keys, and numbers of their own that nodes add."""

    def telling(error: str, backwards: bool) -> Callable[[str, Any], Any]:
        event = chain.moved("alice", chain.ESCROW, "1")
        if backwards:
            event = dict(reversed(event.items()))
        log = json.dumps({"errors": [error], "events": [event]})
        return lambda method, params: Text(chain.receipts(params["hiveBlockNumber"], {"ab": log}))

    pauses = Pauses()
    nodes = [serve(telling("no", False)), serve(telling("nope", True))]
    assert sidechain_of(*nodes, pauses=pauses).receipts(500) is not None
    assert pauses.seconds == []


def test_a_silent_node_does_not_keep_two_others_from_deciding(serve: Callable[[Any], Node]) -> None:
    silent, *others = (serve(disagreeing("1")) for _ in range(3))
    silent.faults.extend([Raw(delay=1.5)] * 2)
    waiter = Pauses().waiter()
    urls = [node.url for node in (silent, *others)]
    sidechain = Sidechain(urls, waiter, slow_seconds=0.1)
    started = time.monotonic()
    assert sidechain.receipts(500) is not None
    assert sidechain.receipts(501) is not None
    assert time.monotonic() - started < 1.2


def test_a_light_node_that_forgot_the_block_cannot_say_nothing(serve: Callable[[Any], Node]) -> None:
    light = Engine(latest=900, lightNode=True, firstBlockNumber=6)
    full = Engine(500, latest=900)
    assert sidechain_of(serve(light), serve(full), serve(full)).receipts(500) is not None
    assert sidechain_of(serve(light)).receipts(600) is None
    with pytest.raises(Stopped):
        sidechain_of(serve(light)).receipts(599)


@pytest.mark.parametrize(
    "fault",
    [
        *(
            server.HTML,
            server.BUSY,
            server.TOO_MANY,
            server.CUT,
            server.HALF,
            server.rpc_error("method disabled"),
        ),
        *(
            Text(b"{}"),
            Text(b"5"),
            Text(chain.receipts(499, {})),
            Text(b'{"blockNumber":1,"refHiveBlockNumber":500}'),
        ),
    ],
)
def test_a_bad_answer_is_asked_for_again(serve: Callable[[Any], Node], fault: object) -> None:
    node = serve(Engine(500, latest=600))
    node.faults.extend([fault] * 3)
    pauses = Pauses()
    assert sidechain_of(node, pauses=pauses).receipts(500) is not None
    assert len(pauses.seconds) == 3
    node.faults.extend([None, fault])
    assert sidechain_of(node).receipts(501) is None


def test_a_node_that_refuses_connections_is_passed_over(serve: Callable[[Any], Node]) -> None:
    nodes = [serve(Engine(500, latest=600)) for _ in range(2)]
    pauses = Pauses()
    assert sidechain_of("http://127.0.0.1:9", *nodes, pauses=pauses).receipts(500) is not None
    assert pauses.seconds == []


def test_it_needs_nodes_and_ends_when_told_to() -> None:
    with pytest.raises(ValueError, match="no Hive-Engine nodes"):
        Sidechain([])
    sidechain = sidechain_of("http://127.0.0.1:9")
    with pytest.raises(Stopped):
        sidechain.receipts(1)
    sidechain.close()
