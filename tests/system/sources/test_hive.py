"""Following Hive from nodes that fail as the world fails: nothing is skipped, doubled or taken unverified."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice, pairwise
from typing import Any

import pytest

from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts
from indexer.sources.block_ranges import RANGES_AHEAD
from indexer.sources.hive import LIVE_BLOCKS, HiveClient, HiveSource
from indexer.sources.sidechain import Sidechain
from indexer.sources.source import Cursor, SourceError
from settlement.net.backoff import Waiter
from settlement.net.http_client import Limits, NodeError
from tests.support import blocks as chain
from tests.support.blocks import ESCROW, action, custom_json, moved, transfer, watch
from tests.support.waiting import wait_until
from tests.system.sources import server
from tests.system.sources.server import Node, Pauses, Raw, Text

CHAIN = chain.chain(10, *([[transfer("alice", "bob", "1.000 HIVE")]] for _ in range(30)))
FORK = chain.chain(10, *([[transfer("alice", "eve", "1.000 HIVE")]] for _ in range(30)))
LAST = 39
BEFORE = Cursor(9)
NO_SIDECHAIN = "http://127.0.0.1:9"


def hived(blocks: list[bytes], irreversible: int = LAST) -> Node:
    """A Hive node that holds these blocks, from number 10 on."""

    def answer(method: str, params: Any) -> Any:
        if method == "database_api.get_dynamic_global_properties":
            return {"head_block_number": irreversible + 1, "last_irreversible_block_num": irreversible}
        assert method == "block_api.get_block_range"
        first = params["starting_block_num"] - 10
        return Text(b'{"blocks":[' + b",".join(blocks[first : first + params["count"]]) + b"]}")

    return Node(answer)


@pytest.fixture
def serve() -> Iterator[Callable[[Node], Node]]:
    with ExitStack() as stack:
        yield lambda node: stack.enter_context(server.serve(node))


def source_of(*nodes: Node | str, pauses: Pauses | None = None, **options: Any) -> HiveSource:
    urls = [node if isinstance(node, str) else node.url for node in nodes]
    waiter = (pauses or Pauses()).waiter()
    limits = {"limits": Limits(60, 60), "range_limits": Limits(60, 60)}
    sidechain = Sidechain([NO_SIDECHAIN], waiter)
    return HiveSource(urls, sidechain, watch(), waiter, **{**limits, **options})


def numbers(source: HiveSource, count: int, after: Cursor = BEFORE) -> list[int]:
    found = list(islice(source.blocks(after), count))
    for before, block in pairwise(found):
        assert block[0].previous == before[0].block_id
    return [block.number for block, _ in found]


EVERYTHING = list(range(10, LAST + 1))


def test_all_irreversible_blocks_come_over_one_connection(serve: Callable[[Node], Node]) -> None:
    node = serve(hived(CHAIN))
    source = source_of(node)
    assert numbers(source, 30) == EVERYTHING
    assert node.connections == 1
    assert [method for method, _ in node.requests].count("block_api.get_block_range") == 1


def test_reversible_blocks_are_not_asked_for(serve: Callable[[Node], Node]) -> None:
    """Block 20 is not final. Once it is, it comes; meanwhile the source says what it waits for."""
    node = serve(hived(CHAIN, irreversible=19))
    said = []

    def later(count: int) -> None:
        said.append(source.waiting)
        if count == 3:
            node.answer = hived(CHAIN, irreversible=20).answer

    pauses = Pauses(later)
    source = source_of(node, pauses=pauses, poll_seconds=1.5)
    blocks = source.blocks(Cursor(9))
    assert [next(blocks)[0].number for _ in range(10)] == EVERYTHING[:10]
    assert (source.waiting, source.catching_up) == (None, False)
    assert next(blocks)[0].number == 20
    assert pauses.seconds == [1.5, 1.5, 1.5]
    assert said[0] is not None
    assert said[0].reason == "block 20 to become irreversible"
    assert [waiting and waiting.since for waiting in said] == [said[0].since] * 3
    assert source.waiting is None


def test_a_source_knows_whether_more_is_at_hand(serve: Callable[[Node], Node]) -> None:
    """Near the end each block is committed for itself: the next may have to wait for the sidechain."""
    source = source_of(serve(hived(CHAIN)))
    known = [(block.number, source.catching_up) for block, _ in islice(source.blocks(Cursor(9)), 30)]
    assert known == [(number, number < LAST - LIVE_BLOCKS) for number in EVERYTHING]


@pytest.mark.parametrize(
    "fault",
    [
        *(
            server.HTML,
            server.BUSY,
            server.TOO_MANY,
            server.CUT,
            server.HALF,
            Raw(302, headers={"Location": "/"}),
        ),
        *(
            server.rpc_error("Unable to acquire database lock"),
            Raw(body=b""),
            Raw(body=b"null"),
            Raw(body=b"[]"),
        ),
        *(Raw(body=b'{"id":1}'), Raw(body=b'{"result":{"blocks":[]},"id":0}'), Raw(body=b'{"error":"no"}')),
        *(
            Text(b"null"),
            Text(b'{"blocks":null}'),
            Text(b'{"blocks":[5]}'),
            Text(b'{"blocks":[]}'),
            Text(b"{}"),
        ),
        Text(b'{"blocks":[' + CHAIN[1] + b"]}"),
        Text(b'{"blocks":[' + CHAIN[0] + b"," + CHAIN[2] + b"]}"),
        Text(b'{"blocks":[' + CHAIN[0] + b"," + FORK[1].replace(b"eve", b"bob") + b"," + CHAIN[0] + b"]}"),
        Text(b'{"blocks":[' + CHAIN[0].replace(b"initminer", b"mallory.x") + b"]}"),
        Text(b'{"blocks":[' + b",".join(CHAIN * 2) + b"]}"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_bad_answer_is_asked_for_again(serve: Callable[[Node], Node], fault: object, count: int) -> None:
    """Whatever is wrong with it, be it of the range or of the properties, and with one node or two."""
    node, other = serve(hived(CHAIN)), serve(hived(CHAIN))
    node.faults.extend([None, *[fault] * count])
    pauses = Pauses()
    assert numbers(source_of(node, pauses=pauses), 30) == EVERYTHING
    assert pauses.seconds
    assert sorted(pauses.seconds) == pauses.seconds
    node.faults.extend([fault] * count)
    other.faults.extend([fault] * count)
    assert numbers(source_of(node, other), 30) == EVERYTHING


def test_a_short_range_is_no_gap(serve: Callable[[Node], Node]) -> None:
    node = serve(hived(CHAIN))
    node.faults.extend([None, Text(b'{"blocks":[' + b",".join(CHAIN[:3]) + b"]}")])
    source = source_of(node)
    assert numbers(source, 30) == EVERYTHING


def test_a_node_that_refuses_connections_is_passed_over_at_once(serve: Callable[[Node], Node]) -> None:
    nodes = [serve(hived(CHAIN)) for _ in range(2)]
    pauses = Pauses()
    assert numbers(source_of("http://127.0.0.1:9", *nodes, pauses=pauses), 30) == EVERYTHING
    assert pauses.seconds == []


def test_a_node_that_is_too_slow_is_passed_over(serve: Callable[[Node], Node]) -> None:
    slow, *nodes = (serve(hived(CHAIN)) for _ in range(3))
    slow.faults.extend([None, Raw(delay=600)])  # its thread ends with the process
    source = source_of(slow, *nodes, limits=Limits(1, 1))
    assert numbers(source, 30) == EVERYTHING
    assert f'"state": "resting", "error": "{slow.url}: no answer in time"' in source.nodes


def test_while_no_node_answers_the_pauses_grow_to_a_bound_and_the_source_says_why(
    serve: Callable[[Node], Node],
) -> None:
    node = serve(hived(CHAIN))
    node.faults.extend([server.BUSY] * 11)
    said = []
    pauses = Pauses(lambda _: said.append(source.waiting))
    source = source_of(node, pauses=pauses)
    assert numbers(source, 30) == EVERYTHING
    assert pauses.seconds == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert all(waiting is not None and "HTTP status 503" in waiting.reason for waiting in said)
    assert source.waiting is None


def test_a_node_that_asks_to_be_left_alone_is(serve: Callable[[Node], Node]) -> None:
    node = serve(hived(CHAIN))
    node.faults.extend([server.TOO_MANY, Raw(429, headers={"Retry-After": "99999"})])
    pauses = Pauses()
    assert numbers(source_of(node, pauses=pauses), 30) == EVERYTHING
    assert pauses.seconds == [7.0, 30.0]


def test_a_range_that_a_node_cannot_deliver_is_asked_for_in_halves(serve: Callable[[Node], Node]) -> None:
    node = serve(hived(CHAIN))
    node.faults.extend([None, *[server.BUSY] * 6])
    numbers(source_of(node), 30)
    counts = [params["count"] for method, params in node.requests if method.endswith("range")]
    assert counts == [30, 15, 7, 3, 1, 1, 1, 2, 4, 8, 15]


@pytest.mark.parametrize("faults", [0, 1, 3])
@pytest.mark.parametrize("after", [2, 3, 4])
def test_while_catching_up_the_next_range_is_asked_for_ahead(
    serve: Callable[[Node], Node], faults: int, after: int
) -> None:
    """Whatever goes wrong on the way, each block comes once, and no range is asked for twice without need."""
    node = serve(hived(CHAIN))
    node.faults.extend([None] * after + [server.BUSY] * faults)
    source = source_of(node, largest_range=7)
    blocks = source.blocks(BEFORE)
    assert next(blocks)[0].number == 10

    def ranges() -> list[int]:
        return [params["starting_block_num"] for method, params in node.requests if method.endswith("range")]

    wait_until(lambda: len(ranges()) >= 2, what="a second range", poll=0.001)
    assert ranges()[:2] == [10, 17]
    assert len(ranges()) <= 1 + RANGES_AHEAD + faults, "no further ahead than that"
    assert [next(blocks)[0].number for _ in range(29)] == EVERYTHING[1:]
    if not faults:
        assert ranges() == [10, 17, 24, 31, 38]


def test_the_stop_event_ends_the_wait(serve: Callable[[Node], Node]) -> None:
    stop = threading.Event()
    waiter = Waiter(stop)
    node = serve(hived(CHAIN))
    source = HiveSource([node.url], Sidechain([NO_SIDECHAIN], waiter), watch(), waiter)
    threading.Timer(0.2, stop.set).start()
    assert len(list(source.blocks(Cursor(9)))) == 30


# ------------------------------------------------------------------ forks and lies


def test_a_chain_that_does_not_link_to_the_cursor_stops_the_source(serve: Callable[[Node], Node]) -> None:
    node = serve(hived(CHAIN))
    forked = Cursor(14, "0000000e" + "00" * 16)
    with pytest.raises(SourceError, match=f"block 15 does not link to the block before: .*{forked.block_id}"):
        numbers(source_of(node), 1, forked)


def test_one_node_on_a_fork_does_not_stop_it(serve: Callable[[Node], Node]) -> None:
    other_chain = chain.chain(10, *([] for _ in range(30)))
    shifted = [chain.as_text({**json.loads(text), "witness": "mallory"}) for text in other_chain]
    liar = serve(hived(shifted))
    nodes = [serve(hived(CHAIN)) for _ in range(2)]
    assert numbers(source_of(liar, *nodes), 30) == EVERYTHING
    after = Cursor(14, Block(CHAIN[4]).block_id)
    fork = serve(hived(FORK))
    assert numbers(source_of(fork, *nodes), 5, after) == [15, 16, 17, 18, 19]


def test_the_id_of_a_block_is_what_a_quorum_says(serve: Callable[[Node], Node]) -> None:
    """Receipts are judged by it: one node on a fork must neither pass orphans off nor accuse other nodes."""
    orphan = chain.block(15, previous="0000000e" + "cd" * 16)
    fork = serve(hived([*CHAIN[:5], orphan, *CHAIN[6:]]))
    nodes = [serve(hived(CHAIN)) for _ in range(2)]
    ours = Block(CHAIN[5]).block_id
    assert source_of(fork).block_id(15) == Block(orphan).block_id != ours
    assert source_of(fork, *nodes).block_id(15) == ours
    assert source_of(fork, nodes[0]).block_id(15) is None
    assert source_of(*nodes).block_id(15) == ours
    assert source_of(nodes[0]).block_id(15) == ours


def test_when_all_nodes_are_on_a_fork_the_source_stops(serve: Callable[[Node], Node]) -> None:
    """A quorum must say so, and all that can be asked; the report names them and both ids."""
    forked = Cursor(14, "0000000e" + "00" * 16)
    nodes = [serve(hived(CHAIN)), serve(hived(CHAIN))]
    with pytest.raises(SourceError, match="does not link") as stopped:
        numbers(source_of(*nodes), 1, forked)
    block = Block(CHAIN[5])
    named = (forked.block_id, block.block_id, block.previous, nodes[0].url, nodes[1].url)
    assert all(str(name) in str(stopped.value) for name in named)
    nodes[1].answer = lambda method, _: (
        server.BUSY if method.endswith("range") else {"last_irreversible_block_num": LAST}
    )
    assert numbers(source_of(*nodes), 1, forked) == []
    honest = serve(hived(CHAIN))
    assert numbers(source_of(*nodes, honest), 1, Cursor(14, block.previous)) == [15]


def test_a_lone_surrogate_in_a_block_does_not_stop_the_source(serve: Callable[[Node], Node]) -> None:
    texts = [text.replace(b'"memo":""', b'"memo":"\\ud800 peakedex"') for text in CHAIN]
    found = list(islice(source_of(serve(hived(texts))).blocks(Cursor(9)), 30))
    assert [block.number for block, _ in found] == EVERYTHING
    assert b"\\ud800" in found[0][0].raw
    assert len(found[0][0].transactions) == 1


# ------------------------------------------------------------------ with the sidechain


def test_a_block_with_a_candidate_comes_with_its_receipts(serve: Callable[[Node], Node]) -> None:
    pay = [custom_json(action("transfer", {"to": ESCROW}, "tokens"))]
    blocks = chain.chain(10, [], [pay], [])
    logs = {chain.transaction_id(11, 0): [moved("alice", ESCROW, "1")]}

    def answer(method: str, params: Any) -> Any:
        assert (method, params) == ("getBlockInfoByHiveBlock", {"hiveBlockNumber": 11})
        return Text(chain.receipts(11, logs, hive_id=Block(blocks[1]).block_id))

    node, engine = serve(hived(blocks, 12)), serve(Node(answer))
    waiter = Pauses().waiter()
    source = HiveSource([node.url], Sidechain([engine.url], waiter), watch(), waiter)
    found: list[tuple[Block, Receipts | None]] = list(islice(source.blocks(Cursor(9)), 3))
    assert [receipts and receipts.hive_number for _, receipts in found] == [None, 11, None]
    assert len(engine.requests) == 1


# ------------------------------------------------------------------ the client


def test_the_client_never_signs() -> None:
    client = HiveClient(["http://127.0.0.1:9"])
    for send in (client.broadcast, client.broadcast_sync):
        with pytest.raises(TypeError, match="read-only"):
            send([])


def test_the_client_needs_nodes_and_tries_them_in_order(serve: Callable[[Node], Node]) -> None:
    with pytest.raises(ValueError, match="no Hive nodes"):
        HiveClient([])
    first, second = serve(hived(CHAIN)), serve(hived(CHAIN))
    client = HiveClient([first.url, second.url])
    assert client.current_node == first.url
    first.faults.append(server.BUSY)
    assert json.loads(client.call_raw("database_api", "get_dynamic_global_properties", {}))
    assert client.current_node == second.url
    second.faults.append(server.rpc_error("Invalid cast"))
    with pytest.raises(NodeError, match="Invalid cast"):
        client.call_raw("database_api", "get_dynamic_global_properties", {})
    client.close()
