"""Asking the sidechain: "nothing" counts only from a node that has executed past the block and still keeps it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import permutations
from typing import Any

import pytest

from indexer.chain.receipts import Receipts
from indexer.sources.sidechain import Sidechain
from indexer.sources.sidechain_client import UNEXECUTED_BLOCKS
from settlement.net.backoff import Stopped
from settlement.net.http_client import Limits
from tests.support import blocks as chain
from tests.support.waiting import TIMEOUT_SECONDS
from tests.system.sources import server
from tests.system.sources.server import Node, Pauses, Raw, Text


class Engine:
    """A Hive-Engine node's view: which Hive blocks it has receipts for, and the last one that it executed.

    Its own blocks up to 4 are those of Hive blocks 100, 200, 300 and 400; 5 is the last one.
    """

    def __init__(self, *has: int, latest: int, parsed: int | None = None, **status: Any) -> None:
        self.has = set(has)
        self.latest = latest
        self.ids: dict[int, str] = {}  # of Hive blocks of another branch that it executed
        self.status = {"lastParsedHiveBlockNumber": latest + 3 if parsed is None else parsed, **status}

    def executed(self, number: int, hive_number: int) -> dict[str, Any]:
        return {
            "blockNumber": number,
            "refHiveBlockNumber": hive_number,
            "refHiveBlockId": self.ids.get(hive_number, hive_id(hive_number)),
            "transactions": [],
        }

    def __call__(self, method: str, params: Any) -> Any:
        if method == "getBlockInfoByHiveBlock":
            number = params["hiveBlockNumber"]
            return self.executed(number, number) if number in self.has else None
        if method == "getLatestBlockInfo":
            return self.executed(5, self.latest)
        if method == "getBlockInfo":
            return self.executed(params["blockNumber"], 100 * params["blockNumber"])
        assert method == "getStatus"
        return self.status


def hive_id(number: int) -> str:
    """The made-up id of a Hive block, as nodes of Hive would tell it."""
    return chain.block_before(number + 1)


def ask(sidechain: Sidechain, number: int) -> Receipts | None:
    return sidechain.receipts(number, hive_id(number), hive_id)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Node]]:
    with ExitStack() as stack:
        yield lambda engine: stack.enter_context(server.serve(Node(engine)))


def sidechain_of(*nodes: Node | str, pauses: Pauses | None = None) -> Sidechain:
    urls = [node if isinstance(node, str) else node.url + "/" for node in nodes]
    return Sidechain(urls, (pauses or Pauses(most=5)).waiter(), limits=Limits(60, 60))


def methods(node: Node) -> list[str]:
    return [method for method, _ in node.requests]


def test_receipts_are_given_as_soon_as_they_are_there(serve: Callable[[Any], Node]) -> None:
    node = serve(Engine(500, latest=500))
    receipts = ask(sidechain_of(node), 500)
    assert receipts is not None
    assert receipts.hive_number == 500
    assert methods(node) == ["getBlockInfoByHiveBlock"]


ENOUGH = 501 + UNEXECUTED_BLOCKS


@pytest.mark.parametrize("engine", [Engine(latest=501), Engine(latest=400, parsed=ENOUGH)])
def test_nothing_is_the_answer_of_a_node_that_has_executed_past_the_block(
    serve: Callable[[Any], Node], engine: Engine
) -> None:
    node = serve(engine)
    sidechain = sidechain_of(node)
    assert ask(sidechain, 500) is None
    assert ask(sidechain, 499) is None
    if engine.latest > 500:
        assert methods(node).count("getStatus") == 1, "the newest executed block tells it as well"


@pytest.mark.parametrize(
    "engine",
    [
        Engine(latest=499),
        Engine(latest=499, parsed=502),
        Engine(latest=400, parsed=ENOUGH - 1),
        Engine(latest=400, parsed=502, lastBlockRefHiveBlockNumber=400),
    ],
)
def test_nothing_from_a_node_that_has_only_fetched_past_the_block_is_waited_out(
    serve: Callable[[Any], Node], engine: Engine
) -> None:
    """`lastParsedHiveBlockNumber` is the next block to fetch; blocks below it wait unexecuted."""
    node = serve(engine)

    def later(count: int) -> None:
        reasons.append(waiter.waiting)
        if count == 3:
            engine.has.add(500)

    reasons: list[Any] = []
    waiter = Pauses(later).waiter()
    receipts = ask(Sidechain([node.url], waiter, poll_seconds=0.5), 500)
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

    assert ask(sidechain_of(serve(answer)), 500) is not None


def test_a_node_that_lags_is_left_for_one_that_does_not(serve: Callable[[Any], Node]) -> None:
    behind, ahead, other = (serve(Engine(latest=400)), *(serve(Engine(500, latest=600)) for _ in range(2)))
    pauses = Pauses()
    sidechain = sidechain_of(behind, ahead, other, pauses=pauses)
    assert ask(sidechain, 500) is not None
    assert pauses.seconds == []
    assert ask(sidechain, 500) is not None
    assert methods(behind).count("getBlockInfoByHiveBlock") == 1, "it goes behind the others"


def test_of_two_nodes_both_must_have_executed_the_block(serve: Callable[[Any], Node]) -> None:
    lagging = Engine(latest=400)

    def later(count: int) -> None:
        if count == 3:
            lagging.has.add(500)

    pauses = Pauses(later)
    assert ask(sidechain_of(serve(lagging), serve(Engine(500, latest=600)), pauses=pauses), 500)
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
    assert ask(sidechain, 500) is not None
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
        receipts = ask(sidechain, 500)
        assert receipts is not None
        data: Any = receipts.logs_of("ab")[0]["data"]
        assert data["quantity"] == "1"
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
    assert ask(sidechain_of(*nodes, pauses=pauses), 500) is not None
    assert pauses.seconds == []


def test_a_silent_node_does_not_keep_two_others_from_deciding(serve: Callable[[Any], Node]) -> None:
    silent, *others = (serve(disagreeing("1")) for _ in range(3))
    silent.faults.extend([Raw(delay=600)] * 2)  # its thread ends with the process
    waiter = Pauses().waiter()
    urls = [node.url for node in (silent, *others)]
    sidechain = Sidechain(urls, waiter, slow_seconds=0.1, limits=Limits(60, 600))
    started = time.monotonic()
    assert ask(sidechain, 500) is not None
    assert ask(sidechain, 501) is not None
    assert time.monotonic() - started < TIMEOUT_SECONDS


def test_a_light_node_that_forgot_the_block_cannot_say_nothing(serve: Callable[[Any], Node]) -> None:
    light = Engine(latest=900, lightNode=True, firstBlockNumber=6)
    full = Engine(500, latest=900)
    assert ask(sidechain_of(serve(light), serve(full), serve(full)), 500) is not None
    assert ask(sidechain_of(serve(light)), 601) is None
    with pytest.raises(Stopped):
        ask(sidechain_of(serve(light)), 599)


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
    assert ask(sidechain_of(node, pauses=pauses), 500) is not None
    assert len(pauses.seconds) == 3
    node.faults.extend([None, fault])
    assert ask(sidechain_of(node), 501) is None


def test_a_node_that_refuses_connections_is_passed_over(serve: Callable[[Any], Node]) -> None:
    nodes = [serve(Engine(500, latest=600)) for _ in range(2)]
    pauses = Pauses()
    assert ask(sidechain_of("http://127.0.0.1:9", *nodes, pauses=pauses), 500) is not None
    assert pauses.seconds == []


def test_it_needs_nodes_and_ends_when_told_to() -> None:
    with pytest.raises(ValueError, match="no Hive-Engine nodes"):
        Sidechain([])
    sidechain = sidechain_of("http://127.0.0.1:9")
    with pytest.raises(Stopped):
        ask(sidechain, 1)
    sidechain.close()


# ------------------------------------------------------------------ forks of Hive

FORKED = "this Hive-Engine node followed a fork: it must be replayed"


def forked(*has: int, latest: int, orphans: tuple[int, ...]) -> Engine:
    """A node that executed another branch's blocks in place of some."""
    engine = Engine(*has, latest=latest)
    engine.ids = {number: f"{number:08x}" + "ee" * 16 for number in orphans}
    return engine


@pytest.mark.parametrize(
    "engine",
    [
        forked(500, latest=600, orphans=(500,)),
        forked(latest=600, orphans=(400,)),
        forked(latest=501, orphans=(501,)),
    ],
    ids=["receipts of the orphan", "nothing, and the block before is an orphan", "and the one after"],
)
def test_a_node_that_followed_a_fork_cannot_answer(serve: Callable[[Any], Node], engine: Engine) -> None:
    fork, *others = serve(engine), serve(Engine(500, latest=600)), serve(Engine(500, latest=600))
    pauses = Pauses()
    sidechain = sidechain_of(fork, *others, pauses=pauses)
    assert ask(sidechain, 500) is not None
    assert pauses.seconds == []
    (state, *_) = sidechain.report()
    assert state["state"] == "resting"
    assert f"{fork.url}: {FORKED}" in str(state["error"])


def test_two_nodes_that_followed_the_same_branch_are_waited_out_until_they_are_replayed(
    serve: Callable[[Any], Node],
) -> None:
    """They agree, and are both wrong: a deposit would be lost, or credited that Hive does not have."""
    engines = [forked(500, latest=600, orphans=(500,)) for _ in range(2)]
    reasons = set()

    def later(count: int) -> None:
        reasons.add(waiter.waiting.reason if waiter.waiting else "")
        if count == 6:
            for engine in engines:
                engine.ids.clear()

    waiter = Pauses(later).waiter()
    sidechain = Sidechain([serve(engine).url for engine in engines], waiter)
    receipts = ask(sidechain, 500)
    assert receipts is not None
    assert receipts.hive_id == hive_id(500)
    assert any(FORKED in reason for reason in reasons)
    assert {node["state"] for node in sidechain.report()} == {"ok"}


@pytest.mark.parametrize(
    "engine",
    [forked(500, 550, latest=600, orphans=(500,)), forked(400, 550, latest=600, orphans=(400,))],
    ids=["an orphan's receipts", "nothing beside an orphan"],
)
def test_a_node_that_followed_a_fork_is_not_asked_for_later_blocks_until_it_is_replayed(
    serve: Callable[[Any], Node], engine: Engine
) -> None:
    """Its balances are others from then on, whatever the ids of later blocks."""
    pauses = Pauses(most=3)
    sidechain = sidechain_of(serve(engine), pauses=pauses)
    for number in (500, 550):
        with pytest.raises(Stopped):
            ask(sidechain, number)
    engine.ids.clear()
    sidechain = sidechain_of(serve(engine))
    assert ask(sidechain, 550) is not None


def test_nothing_waits_until_the_block_after_is_irreversible_and_known(serve: Callable[[Any], Node]) -> None:
    """Only then can it be seen that the node did not execute another branch."""
    known = {number: hive_id(number) for number in (100, 200, 300, 400)}

    def later(count: int) -> None:
        if count == 3:
            known[501] = hive_id(501)

    pauses = Pauses(later)
    sidechain = sidechain_of(serve(Engine(latest=501)), pauses=pauses)
    assert sidechain.receipts(500, hive_id(500), known.get) is None
    assert len(pauses.seconds) == 3


@pytest.mark.parametrize("orphans", [(), (400,)], ids=["restored", "replayed after a fork"])
def test_nothing_from_a_node_that_has_gone_back_is_waited_out(
    serve: Callable[[Any], Node], orphans: tuple[int, ...]
) -> None:
    """It had executed past the block, was restored from an older copy, and executes the block once more."""
    engine = forked(latest=600, orphans=orphans)

    def later(count: int) -> None:
        if count == 2:
            engine.ids, engine.latest, engine.status = {}, 300, {"lastParsedHiveBlockNumber": 303}
        elif count == 5:
            engine.has, engine.latest, engine.status = {500}, 501, {"lastParsedHiveBlockNumber": 504}

    sidechain = sidechain_of(serve(engine), pauses=Pauses(later, most=20))
    if not orphans:
        assert ask(sidechain, 499) is None
        later(2)
    assert ask(sidechain, 500) is not None


def test_nothing_from_one_of_several_machines_behind_an_address_is_waited_out(
    serve: Callable[[Any], Node],
) -> None:
    """The machine that is asked for receipts lags behind the one that tells how far the node is."""
    ahead, behind = Engine(500, latest=600), Engine(latest=499)

    def answer(method: str, params: Any) -> Any:
        is_lagging = method == "getBlockInfoByHiveBlock" and not pauses.seconds
        return (behind if is_lagging else ahead)(method, params)

    def found(method: str, params: Any) -> Any:
        blocks = {4: 500, 3: 400}  # of the machine that is ahead
        if method == "getBlockInfo" and params["blockNumber"] in blocks:
            return ahead.executed(params["blockNumber"], blocks[params["blockNumber"]])
        return answer(method, params)

    pauses = Pauses(most=5)
    assert ask(sidechain_of(serve(found), pauses=pauses), 500) is not None


def test_a_light_node_that_forgets_blocks_meanwhile_cannot_say_nothing(serve: Callable[[Any], Node]) -> None:
    light = Engine(latest=900, lightNode=True, firstBlockNumber=2)
    kept = 2

    def answer(method: str, params: Any) -> Any:
        is_gone = method == "getBlockInfo" and params["blockNumber"] < kept
        return None if is_gone else light(method, params)

    sidechain = sidechain_of(serve(answer))
    assert ask(sidechain, 250) is None
    kept = 4
    with pytest.raises(Stopped):
        ask(sidechain, 350)


def test_a_node_that_returns_other_blocks_than_asked_for_ends_no_search_of_its_own(
    serve: Callable[[Any], Node],
) -> None:
    """Its answers would lead the search for the nearest blocks further and further."""
    honest = [serve(Engine(500, latest=600)) for _ in range(2)]

    def answer(method: str, params: Any) -> Any:
        if method == "getBlockInfo":
            return Engine(latest=600).executed(2 * params["blockNumber"], 600)
        return Engine(latest=600)(method, params)

    liar = serve(answer)
    sidechain = sidechain_of(liar, *honest)
    assert ask(sidechain, 500) is not None
    assert "block 4 was requested, 8 returned" in str(sidechain.report()[0]["error"])
    assert len(liar.requests) < 10


def test_an_id_is_asked_for_once_for_all_nodes(serve: Callable[[Any], Node]) -> None:
    asked: list[int] = []

    def ids(number: int) -> str:
        asked.append(number)
        return hive_id(number)

    sidechain = sidechain_of(serve(Engine(latest=600)), serve(Engine(latest=600)))
    assert sidechain.receipts(500, hive_id(500), ids) is None
    assert sorted(asked) == [400, 600]


def test_a_reader_far_behind_searches_from_where_it_has_searched_before(serve: Callable[[Any], Node]) -> None:
    """Each of the Hive blocks 3, 6, 9 … is executed; for each of the others the nearest ones are looked for."""
    count = 1 << 20

    def answer(method: str, params: Any) -> Any:
        if method == "getBlockInfoByHiveBlock":
            return None
        if method == "getStatus":
            return {"lastParsedHiveBlockNumber": 3 * count + 3}
        number = params.get("blockNumber", count)
        asked.append(number)
        return Engine(latest=0).executed(number, 3 * number)

    asked: list[int] = []
    sidechain = sidechain_of(serve(answer))
    blocks = [number for number in range(1000, 1060) if number % 3]
    costs = []
    for number in (*blocks, 2000, 1001, 3 * count - 1):
        asked.clear()
        known: list[int] = []

        def ids(wanted: int, known: list[int] = known) -> str:
            known.append(wanted)
            return hive_id(wanted)

        assert sidechain.receipts(number, hive_id(number), ids) is None
        assert known == [number - number % 3, number - number % 3 + 3]
        costs.append(len(asked))
    assert costs[0] > 30
    assert max(costs[1 : len(blocks)]) <= 4
    assert max(costs[-3:]) < 50
