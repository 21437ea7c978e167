"""Asking the sidechain: "nothing" counts only from a node that is past the block and still keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from indexer.patience import Patience, Stopped
from indexer.sidechain import Sidechain
from tests.indexer import chain, server
from tests.indexer.server import Node, Pauses, Text


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
    return Sidechain(urls, Patience(wait=pauses or Pauses(most=5)), connect_seconds=2, answer_seconds=2)


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
        reasons.append(patience.waiting)
        if count == 3:
            engine.has.add(500)

    reasons: list[Any] = []
    patience = Patience(wait=Pauses(later))
    receipts = Sidechain([node.url], patience, poll_seconds=0.5).receipts(500)
    assert receipts is not None
    assert [waiting.reason for waiting in reasons] == ["the sidechain to execute Hive block 500"] * 3
    assert patience.waiting is None


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
    behind, ahead = serve(Engine(latest=400)), serve(Engine(500, latest=600))
    assert sidechain_of(behind, ahead).receipts(500) is not None


def test_a_light_node_that_forgot_the_block_cannot_say_nothing(serve: Callable[[Any], Node]) -> None:
    light = Engine(latest=900, lightNode=True, firstBlockNumber=6)
    full = Engine(500, latest=900)
    assert sidechain_of(serve(light), serve(full)).receipts(500) is not None
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
    node = serve(Engine(500, latest=600))
    assert sidechain_of("http://127.0.0.1:9", node).receipts(500) is not None


def test_it_needs_nodes_and_ends_when_told_to() -> None:
    with pytest.raises(ValueError, match="no Hive-Engine nodes"):
        Sidechain([])
    sidechain = sidechain_of("http://127.0.0.1:9")
    with pytest.raises(Stopped):
        sidechain.receipts(1)
    sidechain.close()
