"""Verification of a snapshot with a node and the operator's checkpoint, and continuation from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.payloads import custom_json, intent
from tests.system.backup.archives import create, files, lie, members, rows_of
from tests.system.cli.command import FAILED, OK, Run, peakedex
from tests.system.cli.world import World, world


@dataclass
class Checked:
    """A world with an operator's checkpoint, a database after it, and its snapshot."""

    world: World
    folder: Path
    claimed_block: int

    def database(self) -> Path:
        return self.folder / "peakedex.db"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    folder = tmp_path_factory.mktemp("checked")
    with world(blocks=6) as here:
        here.node.chain.lag = 0
        here.trade(1)
        found = Checked(here, folder, 0)
        here.follow(found.database())
        told = peakedex("state", "--db", found.database(), "--json").json
        found.claimed_block = told["block"]
        claim = {"block": told["block"], "stateHash": told["state_hash"], "journalHash": told["journal_hash"]}
        here.node.broadcast(
            [custom_json(here.venue, here.venue.operator, intent(here.venue, "checkpoint", claim))]
        )
        here.trade(3)
        here.follow(found.database())
        create(str(found.database()), folder / "snapshot")
        yield found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def restore(path: Path, *words: object) -> Run:
    return peakedex("snapshot", "restore", "--from", path, "--db", "new.db", *words)


def test_a_checkpoint_that_agrees_is_told_with_whose_word_that_is(checked: Checked, here: Path) -> None:
    run = restore(checked.folder / "snapshot", "--json")
    assert run.code == OK, run.err
    assert run.json["checkpoint"] == f"block {checked.claimed_block} matches (not verified by a node)"
    (here / "new.db").unlink()
    run = restore(checked.folder / "snapshot", "--node", checked.world.server.url, "--json")
    assert run.code == OK, run.err
    assert run.json["checkpoint"] == f"block {checked.claimed_block} matches (verified by 1 nodes)"


def test_a_node_restored_from_it_follows_to_the_same_hashes(checked: Checked, here: Path) -> None:
    assert restore(checked.folder / "snapshot").code == OK
    checked.world.trade(3)
    for database in (here / "new.db", checked.database()):
        checked.world.follow(database)
    told = [peakedex("state", "--db", each, "--json").json for each in (here / "new.db", checked.database())]
    assert told[0] == told[1]
    create("new.db", here / "one")
    create(str(checked.database()), here / "other")
    assert (here / "one").read_bytes() == (here / "other").read_bytes()


@pytest.mark.parametrize(("column", "name"), [(5, "state"), (6, "journal")])
def test_a_checkpoint_that_says_otherwise_stops_it(
    column: int, name: str, checked: Checked, here: Path
) -> None:
    path = here / "lie"
    path.write_bytes((checked.folder / "snapshot").read_bytes())
    rows = rows_of(members(path), "checkpoints")
    rows[-1][column] = "0" * 64
    run = restore(lie(path, {"checkpoints": rows}))
    assert run.code == FAILED
    assert f"does not match the operator's checkpoint of block {checked.claimed_block}" in run.complaint
    assert files(here) == ["lie"]
    assert restore(path, "--ignore-checkpoint").code == OK


def _of_another_block(row: list[Any]) -> None:
    row[3] -= 1


def _of_another_transaction(row: list[Any]) -> None:
    row[1] = "0" * 40


@pytest.mark.parametrize("forge", [_of_another_block, _of_another_transaction])
def test_a_checkpoint_that_was_never_made_is_found_out_by_a_node(
    forge: Any, checked: Checked, here: Path
) -> None:
    path = here / "lie"
    path.write_bytes((checked.folder / "snapshot").read_bytes())
    rows = rows_of(members(path), "checkpoints")
    forge(rows[-1])
    assert restore(lie(path, {"checkpoints": rows})).code == OK  # the file alone cannot tell
    (here / "new.db").unlink()
    run = restore(path, "--node", checked.world.server.url)
    assert run.code == FAILED
    assert "has no such checkpoint" in run.complaint
    assert files(here) == ["lie"]


def test_a_snapshot_of_another_chain_is_found_out_by_a_node(checked: Checked, here: Path) -> None:
    node = DevNode(Chain(seed=8), Sidechain())
    for _ in range(checked.world.node.chain.head):
        node.tick()
    server = NodeServer(node)
    server.start()
    try:
        run = restore(checked.folder / "snapshot", "--node", server.url)
    finally:
        server.stop()
    assert run.code == FAILED
    assert "belongs to another chain" in run.complaint
    assert files(here) == []


def test_a_node_that_is_not_there_is_an_error_and_not_a_yes(checked: Checked, here: Path) -> None:
    run = restore(checked.folder / "snapshot", "--node", "http://127.0.0.1:9")
    assert run.code == FAILED
    assert "127.0.0.1:9" in run.complaint
    assert files(here) == []
