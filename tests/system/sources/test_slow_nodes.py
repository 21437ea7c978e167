"""Slow, hanging and lying Hive nodes beside good ones: they delay nothing for long, and change nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

import pytest

from indexer.sources.hive import HiveSource
from indexer.sources.sidechain import Sidechain
from indexer.sources.source import Cursor, SourceError
from settlement.net.backoff import Backoff, Waiter
from settlement.net.chain_id import MAINNET, ExpectedChain
from settlement.net.http_client import Limits
from tests.support import blocks as chain
from tests.support.blocks import transfer, watch
from tests.support.waiting import TIMEOUT_SECONDS, wait_until
from tests.system.sources import server
from tests.system.sources.server import Node, Raw, Text, hanging, rpc_error

CHAIN = chain.chain(10, *([[transfer("alice", "bob", "1.000 HIVE")]] for _ in range(12)))
LAST = 21
BEFORE = Cursor(9)
OTHER = "ab" * 32
LONG = Limits(connect_seconds=60, read_seconds=600)
"""Much longer than any of these tests may take."""


def hived(irreversible: int = LAST, chain_id: object = MAINNET, blocks: list[bytes] = CHAIN) -> Node:
    """A Hive node that holds these blocks from number 10 on; `chain_id` None: without get_version."""

    def answer(method: str, params: Any) -> Any:
        if method == "database_api.get_version":
            return rpc_error("Could not find method", -32002) if chain_id is None else {"chain_id": chain_id}
        if method == "database_api.get_dynamic_global_properties":
            return {"head_block_number": irreversible + 1, "last_irreversible_block_num": irreversible}
        first = params["starting_block_num"] - 10
        return Text(b'{"blocks":[' + b",".join(blocks[first : first + params["count"]]) + b"]}")

    return Node(answer)


@pytest.fixture
def serve() -> Iterator[Callable[[Node], Node]]:
    with ExitStack() as stack:
        yield lambda node: stack.enter_context(server.serve(node))


def source_of(*urls: str, stop: threading.Event | None = None, **options: Any) -> HiveSource:
    waiter = Waiter(stop, backoff=Backoff(0.05, 0.2))
    sidechain = Sidechain(["http://127.0.0.1:9"], waiter)
    defaults = {"limits": LONG, "range_limits": LONG, "poll_seconds": 0.05, "slow_seconds": 0.2}
    return HiveSource(urls, sidechain, watch(), waiter, **{**defaults, **options})


def numbers(source: HiveSource, count: int) -> list[int]:
    return [block.number for block, _ in islice(source.blocks(BEFORE), count)]


def states(source: HiveSource) -> dict[str, str]:
    return {str(node["url"]): str(node["state"]) for node in json.loads(source.nodes)}


def test_a_node_that_hangs_is_not_waited_for(serve: Callable[[Node], Node]) -> None:
    """It is the first in the list: it accepts connections and never answers. Two good ones stand beside it."""
    good = [serve(hived()).url for _ in range(2)]
    with hanging() as slow:
        began = time.monotonic()
        assert numbers(source_of(slow, *good), 12) == list(range(10, LAST + 1))
        assert time.monotonic() - began < TIMEOUT_SECONDS


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_nor_does_one_that_sends_a_byte_from_time_to_time(serve: Callable[[Node], Node], head: bytes) -> None:
    """In its headers, or in its body."""
    good = [serve(hived()).url for _ in range(2)]
    with hanging(head, b"x") as slow:
        began = time.monotonic()
        assert numbers(source_of(slow, *good), 12) == list(range(10, LAST + 1))
        assert time.monotonic() - began < TIMEOUT_SECONDS


def test_a_node_that_hangs_while_it_is_read_is_replaced(serve: Callable[[Node], Node]) -> None:
    """It answers everything but blocks; so does the node that others are compared with."""
    hold = threading.Event()

    def slow_in_blocks() -> Node:
        node = hived()
        answer = node.answer

        def slowly(method: str, params: Any) -> Any:
            if method == "block_api.get_block_range":
                hold.wait(600)
            return answer(method, params)

        node.answer = slowly
        return serve(node)

    slow = [slow_in_blocks().url for _ in range(2)]
    good = [serve(hived()).url for _ in range(2)]
    began = time.monotonic()
    try:
        assert numbers(source_of(*slow, *good), 12) == list(range(10, LAST + 1))
        assert time.monotonic() - began < TIMEOUT_SECONDS
    finally:
        hold.set()


@contextmanager
def reading(source: HiveSource, stop: threading.Event) -> Iterator[None]:
    """Read and then follow the source in a thread."""
    reader = threading.Thread(target=lambda: [None for _ in source.blocks(BEFORE)])
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join(TIMEOUT_SECONDS)
        source.close()


def test_an_exchange_ends_at_its_deadline_and_the_node_rests(serve: Callable[[Node], Node]) -> None:
    good, stop = serve(hived()), threading.Event()
    limits = Limits(connect_seconds=1, read_seconds=1, total_seconds=0.5)
    with hanging(b"HTTP/1.1 200 OK\r\n", b"x") as slow:
        source = source_of(slow, good.url, quorum=1, limits=limits, range_limits=limits, stop=stop)
        with reading(source, stop):
            wait_until(lambda: states(source)[slow] == "resting", "a rest")
            assert "no answer in time" in json.loads(source.nodes)[0]["error"]
            wait_until(
                lambda: states(source)[good.url] == "ok", "the good node, which may rest for a moment too"
            )


def test_any_answer_ends_a_rest(serve: Callable[[Node], Node]) -> None:
    """A node that failed and answers again is well, although no block is read from it."""
    good, weak = [serve(hived()) for _ in range(2)], serve(hived(irreversible=1))
    weak.faults.extend([Raw(503, b"busy")] * 3)
    stop = threading.Event()
    source = source_of(*(node.url for node in good), weak.url, stop=stop)
    with reading(source, stop):
        wait_until(lambda: states(source)[weak.url] == "resting", "the failure")
        wait_until(lambda: states(source)[weak.url] == "ok", "the recovery")
    assert {method for method, _ in weak.requests} == {"database_api.get_dynamic_global_properties"}


def test_a_majority_of_liars_about_the_last_block_cannot_make_it_read_what_is_not_there(
    serve: Callable[[Node], Node],
) -> None:
    """Two of three report a block that no node has: nothing is invented, and what exists is read."""
    nodes = [serve(hived()), *(serve(hived(irreversible=10**6)) for _ in range(2))]
    assert numbers(source_of(*(node.url for node in nodes)), 12) == list(range(10, LAST + 1))


# ---------------------------------------------------------------- chain ids


def test_a_node_of_another_chain_is_refused_and_the_others_go_on(
    serve: Callable[[Node], Node], caplog: pytest.LogCaptureFixture
) -> None:
    other = serve(hived(chain_id=OTHER))
    good = [serve(hived()), serve(hived(chain_id=None))]
    source = source_of(other.url, *(node.url for node in good), chain=ExpectedChain())
    assert numbers(source, 12) == list(range(10, LAST + 1))
    assert {method for method, _ in other.requests} == {"database_api.get_version"}
    complaint = f"{other.url} is a node of another chain: its chain id is {OTHER}, expected {MAINNET}"
    assert [complaint in message for message in caplog.messages if "another chain" in message] == [True]
    assert complaint in str(json.loads(source.nodes)[0]["error"])


def test_without_a_quorum_of_the_expected_chain_it_ends(serve: Callable[[Node], Node]) -> None:
    other, good = serve(hived(chain_id=OTHER)), serve(hived())
    with pytest.raises(SourceError, match=f"{other.url} is a node of another chain"):
        numbers(source_of(other.url, good.url, chain=ExpectedChain()), 1)
    assert numbers(source_of(other.url, chain=ExpectedChain(OTHER)), 1) == [10]
    with pytest.raises(SourceError, match="is not a devnet"):
        numbers(source_of(good.url, chain=ExpectedChain("devnet")), 1)
