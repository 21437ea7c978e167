"""The sidechain client against recorded answers of real Hive-Engine nodes: at the head, and after a fork."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from indexer.chain.receipts import Receipts
from indexer.sources.sidechain import Sidechain
from settlement.net.backoff import Stopped
from tests.support import real_nodes
from tests.system.sources import server
from tests.system.sources.server import Node, Pauses

PAUSE_MS = 200


class Recording:
    """A node that answers as the recorded one did, at a time in milliseconds that the test moves on."""

    def __init__(self, answers: dict[tuple[str, int | None], list[tuple[int, Any]]]) -> None:
        self.t_ms = 0
        self._answers = answers

    def __call__(self, method: str, params: Any) -> Any:
        number = params.get("hiveBlockNumber", params.get("blockNumber"))
        found = [answer for t_ms, answer in self._answers.get((method, number), []) if t_ms <= self.t_ms]
        return found[-1] if found else None


def timeline() -> Recording:
    """One minute at the head, exchange by exchange."""
    answers: dict[tuple[str, int | None], list[tuple[int, Any]]] = {}
    for line in real_nodes.lines("engine_head_timeline"):
        if "request" in line:
            request, result = line["request"], line["response"]["result"]
            number = request["params"].get("hiveBlockNumber")
            answers.setdefault((request["method"], number), []).append((line["t_ms"], result))
            if request["method"] == "getLatestBlockInfo":
                answers.setdefault(("getBlockInfo", result["blockNumber"]), []).append((0, result))
    return Recording(answers)


def samples() -> Recording:
    """An earlier series of 40 seconds, of which only values were recorded."""
    answers: dict[tuple[str, int | None], list[tuple[int, Any]]] = {}
    for line in real_nodes.lines("engine_head_samples"):
        t_ms, values = line["t_ms"], line["values"]
        status = {
            "lastParsedHiveBlockNumber": values["lastParsedHiveBlockNumber"],
            "lastBlockRefHiveBlockNumber": values["latest_refHiveBlockNumber"],
        }
        answers.setdefault(("getStatus", None), []).append((t_ms, status))
        for number, held in values["getBlockInfoByHiveBlock"].items():
            block = held and {
                **held,
                "refHiveBlockNumber": int(number),
                "transactions": [{"transactionId": ident, "logs": "{}"} for ident in held["transactions"]],
            }
            answers.setdefault(("getBlockInfoByHiveBlock", int(number)), []).append((t_ms, block))
    return Recording(answers)


def irreversible_at(name: str, number: int) -> int:
    """When the Hive block was irreversible, in milliseconds: from then on an indexer asks for its receipts."""
    for line in real_nodes.lines(name):
        values = line.get("values", {})
        reached = values.get("hive_irreversible", values.get("last_irreversible_block_num", 0))
        if reached >= number:
            return int(line["t_ms"])
    raise AssertionError(f"block {number} never became irreversible")


def hive_id_of(name: str, number: int) -> str:
    for line in real_nodes.lines(name):
        values = line.get("values", {})
        held = values.get("receipts_by_hive_block", values.get("getBlockInfoByHiveBlock", {})).get(
            str(number)
        )
        if held:
            return str(held["refHiveBlockId"])
    raise AssertionError(f"no receipts of block {number}")


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Node]]:
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(server.serve(Node(answer)))


@pytest.mark.parametrize(
    ("name", "recording", "number"),
    [
        *(("engine_head_timeline", timeline, number) for number in (2369, 2373, 2377, 2378)),
        *(("engine_head_samples", samples, number) for number in (1992, 1996, 2000)),
    ],
)
def test_no_transfer_at_the_head_is_lost(
    serve: Callable[[Any], Node], name: str, recording: Callable[[], Recording], number: int
) -> None:
    """From irreversibility on the nodes answered "nothing" for about six seconds, then gave the receipts."""
    nodes = [recording(), recording()]

    def move(_: int) -> None:
        for node in nodes:
            node.t_ms += PAUSE_MS

    for node in nodes:
        node.t_ms = irreversible_at(name, number)
    pauses = Pauses(move, most=100)
    sidechain = Sidechain([serve(node).url for node in nodes], pauses.waiter())
    receipts = sidechain.receipts(number, hive_id_of(name, number), lambda _: None)
    assert receipts is not None
    assert receipts.all_logs()
    assert len(pauses.seconds) > 10, "the nodes had not executed the block yet"


def test_nothing_of_a_block_at_the_head_waits_for_a_later_executed_block(
    serve: Callable[[Any], Node],
) -> None:
    node = timeline()
    node.t_ms = irreversible_at("engine_head_timeline", 2370)
    executed: dict[int, str] = {
        answer["refHiveBlockNumber"]: answer["refHiveBlockId"]
        for line in real_nodes.lines("engine_head_timeline")
        if line["case"].endswith("/engine/latest")
        for answer in [line["response"]["result"]]
    }

    def move(_: int) -> None:
        node.t_ms += PAUSE_MS

    sidechain = Sidechain([serve(node).url], Pauses(move, most=200).waiter())
    assert sidechain.receipts(2370, "00000942" + "ab" * 16, executed.get) is None
    status = node("getStatus", {})
    assert status["lastBlockRefHiveBlockNumber"] == 2373
    assert status["lastParsedHiveBlockNumber"] == 2376


# ------------------------------------------------------------------ after a fork of 17 blocks


def after_the_fork(which: str) -> Callable[[str, Any], Any]:
    """Engine node A followed the branch that lost, B the one that became the chain."""
    answers = {
        (line["request"]["method"], tuple(line["request"]["params"].values())): line["response"]["result"]
        for line in real_nodes.lines("engine_orphans")
        if line["case"].endswith(f"/{which}") and isinstance(line["request"]["params"], dict)
    }
    return lambda method, params: answers.get((method, tuple(params.values())))


def hive_id(number: int) -> str:
    return str(real_nodes.result("engine_orphans", f"after/hive-block-{number}/A")["block_id"])


@pytest.mark.parametrize("number", [1274, 1278])
def test_receipts_of_the_branch_that_lost_are_no_answer(serve: Callable[[Any], Node], number: int) -> None:
    lost = [serve(after_the_fork("A")) for _ in range(2)]
    sidechain = Sidechain([node.url for node in lost], Pauses(most=8).waiter())
    with pytest.raises(Stopped):
        sidechain.receipts(number, hive_id(number), lambda _: None)
    assert all("followed a fork: it must be replayed" in str(node["error"]) for node in sidechain.report())
    kept = [serve(after_the_fork("B")) for _ in range(2)]
    sidechain = Sidechain([node.url for node in (*lost, *kept)], Pauses(most=8).waiter())
    receipts = sidechain.receipts(number, hive_id(number), lambda _: None)
    assert receipts is not None
    assert receipts.hive_id == hive_id(number)


def test_nothing_of_a_block_beside_the_orphans_is_no_answer_either(serve: Callable[[Any], Node]) -> None:
    """Block 1275 was empty on both branches, but from the node alone that cannot be known."""
    ids = {1266: str(after_the_fork("A")("getBlockInfo", {"blockNumber": 62})["refHiveBlockId"])}
    ids |= {number: hive_id(number) for number in (1274, 1278)}
    answer: dict[str, Receipts | None] = {}
    for which in "AB":
        sidechain = Sidechain([serve(after_the_fork(which)).url], Pauses(most=5).waiter())
        try:
            answer[which] = sidechain.receipts(1275, "000004fb" + "cd" * 16, ids.get)
        except Stopped:
            assert "followed a fork" in str(sidechain.report()[0]["error"])
    assert answer == {"B": None}
