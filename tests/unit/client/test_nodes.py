"""Hive nodes as real ones answer: the recorded answers to broadcasts, and nodes that are of no use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from peakedex.client import HiveNodes, InputError, NodesFailed
from tests.support import real_nodes
from tests.support.answering import answering

JSON = {"Content-Type": "application/json"}
ANSWERS = [
    line
    for line in real_nodes.lines("hive_broadcast")
    if "response" in line and line["case"].endswith("/condenser")
]
# What can happen to a custom_json that this client signs: the node says that it does not take it.
OURS = ("signature/", "expir", "tapos/", "rc/", "custom_json/limit", "custom_json/8193")


def reply(answer: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, JSON, json.dumps(answer).encode()


def test_recorded_answers_to_a_broadcast() -> None:
    """Only an accepted or known transaction is `sent`: all other answers promise nothing."""
    with answering(*(reply(line["response"]) for line in ANSWERS)) as url:
        nodes = HiveNodes([url])
        for line in ANSWERS:
            case, sent = line["case"], nodes.broadcast({})
            accepted = "error" not in line["response"] or case.startswith("duplicate/in-")
            assert (sent.status == "sent") == accepted, case
            assert len(sent.reason.splitlines()) == (0 if accepted else 1)
            if (
                case.startswith(OURS)
                and "error" in line["response"]
                and "hex" not in case
                and "short" not in case
            ):
                assert sent.status == "refused", f"{case}: {sent}"


def test_the_first_node_that_answers_counts() -> None:
    properties = {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "head_block_number": 7,
            "head_block_id": "00000007" + "ab" * 16,
            "last_irreversible_block_num": 7,
            "time": "2026-09-21T14:13:53",
        },
    }
    broken = [
        (502, {}, b"<html>"),
        (200, JSON, b'{"result": {"head'),
        reply({"jsonrpc": "2.0", "result": None}),
    ]
    with answering(*broken) as bad, answering(*[reply(properties)] * 3) as good:
        nodes = HiveNodes([bad, good], chain_id="ab" * 32)
        for _ in broken:
            assert nodes.position() == ("00000007" + "ab" * 16, 1_790_000_033)


def test_an_answer_that_is_minutes_off_the_clock_is_of_no_use() -> None:
    """Or a transaction could stay valid for a day."""
    late = {"head_block_number": 7, "head_block_id": "0" * 40, "last_irreversible_block_num": 7}
    answer = reply({"result": {**late, "time": "2031-01-01T00:00:00"}})
    with answering(answer) as url, pytest.raises(NodesFailed, match="minutes from this clock"):
        HiveNodes([url]).position()


def test_a_node_of_the_main_network_is_no_devnet() -> None:
    status = {"devnet": True, "chain_id": "beeab0de" + "0" * 56}
    with answering(reply(status)) as url, pytest.raises(NodesFailed, match="is not a devnet"):
        _ = HiveNodes([url], chain_id="devnet").chain_id


@pytest.mark.parametrize(("urls", "chain"), [([], "devnet"), (["http://127.0.0.1:1"], "mainnet")])
def test_nodes_that_cannot_be_used(urls: list[str], chain: str) -> None:
    with pytest.raises(InputError):
        HiveNodes(urls, chain_id=chain)
