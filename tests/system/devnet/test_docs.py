"""docs/devnet.md: its tables match the code, and its examples run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from indexer.cli import main
from indexer.devnet.faults import LIES, Faults
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.router import hive_methods
from indexer.devnet.rpc.dev_methods import DevMethods
from indexer.devnet.rpc.sidechain_methods import SidechainMethods
from indexer.devnet.server import NodeServer
from indexer.devnet.venue import EXAMPLE, read_venue

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "devnet.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8091"


def table(head: str) -> dict[str, list[str]]:
    """The table whose header starts with `head`: the cells of each row by the code in its first cell."""
    lines = TEXT[TEXT.index(f"| {head} |") :].splitlines()[2:]
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, *others = [cell.strip() for cell in line.strip("|").split("|")]
        rows[first.strip("`")] = others
    return rows


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def examples() -> list[str]:
    """All lines of the code blocks."""
    blocks = re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


CALLS = [line for line in examples() if re.match(r"curl |peakedex devnet [a-z]", line)]


def test_every_call_is_described() -> None:
    assert list(table("call")) == list(DevMethods(DevNode(), Faults()).names)


def test_every_fault_is_described_with_what_it_takes() -> None:
    rows = table("fault")
    assert list(rows) == list(asdict(Faults()))
    takes = {"count": int, "blocks": int, "milliseconds": int, "true or false": bool, "one of": str}
    for name, (kind, _) in rows.items():
        [expected] = [wanted for words, wanted in takes.items() if words in kind]
        assert type(getattr(Faults(), name)) is expected, name
    assert list(table("lie")) == list(filter(None, LIES))


def test_every_habit_of_the_chain_is_described() -> None:
    names = list(table("name"))
    assert names == codes(table("call")["chain"][0])
    node = DevNode(Chain(sign=False))
    method = DevMethods(node, Faults()).method("chain")
    assert method is not None
    for name in names:
        method({name: 1 if name != "stalled" else True})
    assert (node.chain.lag, node.chain.stalled, node.skip_slots) == (1, True, 1)
    assert (node.behind, node.buffer) == (1, 1)


def test_every_method_is_listed() -> None:
    listed = {api: set(codes(methods)) for api, [methods] in table("api").items()}
    assert listed == {api: set(methods) for api, methods in hive_methods(DevNode()).items()}
    engine = SidechainMethods(DevNode())
    paragraph = TEXT[TEXT.index("Methods: `/engine") : TEXT.index("## Methods of")]
    named = {code for code in codes(paragraph) if not code.startswith("/")} - {"tokens", "balances"}
    assert named == engine.blockchain().keys() | engine.contracts().keys()


@pytest.fixture(scope="module")
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False, lag=2))
    node.prepare(read_venue(EXAMPLE.read_text()))
    for _ in range(8):
        node.tick()
    node.faucet("alice", "HIVE", "100")
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("line", CALLS)
def test_the_examples_run(server: NodeServer, line: str) -> None:
    server.faults.set(asdict(Faults()))
    program, *arguments = shlex.split(line.replace(ADDRESS, server.url))
    if program == "peakedex":
        if not set(arguments[1:]) & {"--port"}:
            result = CliRunner().invoke(main, arguments, env={"PEAKEDEX_DEVNET": server.url})
            assert result.exit_code == 0, result.output
        return
    url, *data = [argument for argument in arguments if argument not in ("-s", "-d")]
    response = requests.post(url, data=data[0], timeout=60) if data else requests.get(url, timeout=60)
    assert response.status_code == 200, response.text
    assert response.json()


def test_the_command_says_what_is_wrong(server: NodeServer) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["devnet", *arguments], env={"PEAKEDEX_DEVNET": server.url})
        return result.exit_code, result.output.strip().splitlines()[-1]

    assert run("faults", "nope=1")[0] == 1
    assert run("faults", "nope=1")[1].startswith("Error: rejected by the devnet: unknown fault nope")
    assert run("faults", "lie=big")[1] == (
        "Error: rejected by the devnet: lie must be one of amount, add, drop, order, irreversible, or empty"
    )
    assert run("faults", "lag") == (2, "Error: 'lag' must be NAME=VALUE, such as lag=5")
    assert run("fork", "99")[0] == 1
    assert run("keys", "nobody")[1] == "Error: rejected by the devnet: unknown account: nobody"
    code, words = run("status", "--url", "http://127.0.0.1:9")
    assert (code, words) == (
        1,
        "Error: --url http://127.0.0.1:9 does not respond: is `peakedex devnet` running there?",
    )
    assert run("faults", "stale=3", "--json") == (0, json.dumps(asdict(Faults(stale=3))))
    assert run("faults", "--off", "gaps=2", "--json") == (0, json.dumps(asdict(Faults(gaps=2))))
    run("faults", "--off")
