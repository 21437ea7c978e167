"""Which nodes commands accept: slow ones, those of another chain, and how many Hive-Engine nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from indexer.ops.doctor import Subject, examine
from settlement.net.chain_id import DEVNET, MAINNET, ExpectedChain
from settlement.store.database import StoreError, open_reader
from settlement.store.read.position import read_position
from tests.system.cli.command import FAILED, MISUSED, OK, peakedex
from tests.system.cli.world import World, running, world
from tests.system.sources.server import Raw, forwarding, hanging, rpc_error, serve


@pytest.fixture(scope="module")
def live() -> Iterator[World]:
    with world(genesis=int(time.time()) - 60, blocks=20) as live:
        yield live


def block_of(database: Path) -> int:
    """The last block recorded, 0 while there is none."""
    if not database.exists():
        return 0
    with suppress(StoreError), open_reader(str(database)).connect() as connection:
        position = read_position(connection)
        return 0 if position is None else position.block
    return 0


def test_follow_goes_on_beside_nodes_that_hang_or_drip(live: World, venue: Path, here: Path) -> None:
    """The first of three nodes of each kind answers nothing, or a byte from time to time."""
    database = here / "dex.db"
    good = [live.server, live.another_node()]
    nodes = [word for server in good for word in ("--node", server.url, "--engine-node", server.engine_url)]
    with hanging() as silent, hanging(b"HTTP/1.1 200 OK\r\n", b"x") as dripping:
        words = ("--venue", venue, "--db", database, "--node", silent, "--engine-node", dripping)
        with running(here, "follow", *words, *nodes, "--chain-id", "devnet") as follow:
            follow.wait_until(lambda: block_of(database) >= live.irreversible)
            follow.end()


def test_nodes_of_another_chain_end_follow_in_one_line(live: World, venue: Path) -> None:
    nodes = ("--node", live.server.url, "--engine-node", live.server.engine_url, "--trust-single-node")
    run = peakedex("follow", "--venue", venue, "--db", "dex.db", "--log-level", "error", *nodes)
    chain_id = live.node.chain.chain_id.hex()
    assert run.code == FAILED
    assert run.error.splitlines()[-1] == (
        f"Error: stopped: {live.server.url} is a node of another chain: its chain id is {chain_id}, "
        f"expected {MAINNET} (--chain-id)"
    )
    wrong = peakedex("follow", "--venue", venue, "--db", "dex.db", *nodes, "--chain-id", "beef")
    assert (wrong.code, wrong.error) == (
        MISUSED,
        "Error: --chain-id: the chain id must be 64 lower-case hex digits",
    )
    recorded = peakedex("archive", "record", "--out", "recorded", "--venue", venue, *nodes)
    assert "is a node of another chain" in recorded.error
    same = ("--chain-id", chain_id, "--out", "recorded", "--venue", venue)
    assert peakedex("archive", "record", *nodes, *same).code == OK


@pytest.mark.parametrize("command", [("follow",), ("run",), ("archive", "record", "--out", "x")])
def test_one_hive_engine_node_has_to_be_trusted_by_name(venue: Path, command: tuple[str, ...]) -> None:
    """The same node twice is one."""
    words = (*command, "--venue", venue, *(() if command[0] == "archive" else ("--db", "dex.db")))
    engine_nodes = ("--engine-node", "http://127.0.0.1:9", "--engine-node", "http://127.0.0.1:9/")
    run = peakedex(*words, *engine_nodes)
    assert run.code == MISUSED
    assert run.error.endswith(
        "Error: a single Hive-Engine node would be believed alone: add another --engine-node, or accept that "
        "with --trust-single-node"
    )


def test_the_single_node_can_be_trusted_in_the_file(here: Path, venue: Path) -> None:
    (here / "peakedex.toml").write_text("trust-single-node = true\n")
    words = ("follow", "--venue", venue, "--db", "dex.db", "--engine-node", "http://127.0.0.1:9")
    assert "--chain-id" in peakedex(*words, "--chain-id", "beef").error
    (here / "peakedex.toml").write_text("trust-single-node = 1\n")
    assert peakedex(*words).error == "Error: peakedex.toml: trust-single-node must be true or false"


def findings(live: World, node: str, chain: str | None, **options: Any) -> dict[str, tuple[str, str]]:
    """Level and text of the findings about nodes, by check."""
    subject = Subject(None, None, (node,), (live.server.engine_url,), chain=ExpectedChain(chain), **options)
    found = examine(subject, clock=lambda: live.node.chain.head_time + 1)
    return {each.check: (each.level, each.text) for each in found if "node" in each.check}


def test_the_doctor_compares_chain_ids(live: World) -> None:
    url = live.server.url
    assert findings(live, url, DEVNET)["hive node"][0] == "ok"
    level, text = findings(live, url, None)["hive node"]
    assert level == "fatal"
    assert f"{url} is a node of another chain" in text
    assert MAINNET in text

    def without_version(method: str) -> Raw | None:
        return rpc_error("Could not find method", -32002) if method == "database_api.get_version" else None

    with serve(forwarding(url, without_version)) as node:
        level, text = findings(live, node.url, None)["hive node"]
        assert level == "warn"
        assert "does not answer database_api.get_version, so its chain is not verified" in text


def test_the_doctor_warns_of_a_single_hive_engine_node(live: World) -> None:
    level, text = findings(live, live.server.url, DEVNET)["sidechain nodes"]
    assert (level, "believed alone" in text) == ("warn", True)
    assert "sidechain nodes" not in findings(live, live.server.url, DEVNET, trust_single_node=True)
