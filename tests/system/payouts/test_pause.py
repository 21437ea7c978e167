"""The pause: payouts start paused on every restored database, and say what to check."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from settlement.payouts.holds.pause import RestoreMark
from settlement.payouts.payout_log import open_payout_log
from settlement.payouts.policy import Policy
from settlement.payouts.runner import Runner
from settlement.store import payout_pause
from settlement.store.payout_pause import Mark
from tests.system.cli.command import OK, peakedex
from tests.system.payouts.world import World

SHORT = Policy(expires_in=60)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def start(world: World) -> Runner:
    return world.runner(SHORT, mark=RestoreMark.of_database(world.ledger.url))


def switch(world: World, command: str, *arguments: str) -> str:
    run = peakedex("payouts", command, *arguments, "--db", world.ledger.url)
    assert run.code == OK, run.err
    return run.out


def test_an_older_copy_starts_paused_and_says_what_to_check(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """One payment was signed since the copy."""
    runner = start(world)
    backup = world.ledger.backup()
    world.withdraw("alice", "HBD", "1")
    world.run(runner, 60)
    world.ledger.restore(backup)
    claim = world.withdraw("alice", "HBD", "2")
    world.run(start(world), 60)
    assert world.states()[claim] == "pending"
    for text in ("the database was restored", "payouts reconcile", "--hold", "payouts resume"):
        assert text in caplog.text
        assert text in switch(world, "status")
    world.run(start(world), 60)
    assert world.states()[claim] == "pending", "a restart does not end it"
    switch(world, "resume")
    runner = start(world)
    world.run(runner, 60)
    assert world.states()[claim] == "paid"
    world.check()


@pytest.mark.parametrize("decision", ["pause", "approve", "resume"])
def test_a_copy_from_before_a_decision_starts_paused(world: World, decision: str) -> None:
    """The copy does not contain the decision."""
    runner = start(world)
    claim = world.withdraw("alice", "PEK", "0.01", to="dave")
    world.run(runner, 15)
    backup = world.ledger.backup()
    switch(world, decision, *([claim] if decision == "approve" else []))
    runner.round()
    world.ledger.restore(backup)
    world.tick()
    start(world)
    assert "PAUSED: the database was restored" in switch(world, "status")


def test_the_same_copy_is_noticed_each_time_it_is_put_in_place(world: World) -> None:
    """The payouts process started on it before, which paused and remembered how far that copy had come."""
    runner = start(world)
    backup = world.ledger.backup()
    world.withdraw("alice", "HBD", "1")
    world.run(runner, 60)
    for _ in range(3):
        world.ledger.restore(backup)
        claim = world.withdraw("alice", "HBD", "2")
        world.run(start(world), 60)
        assert world.states()[claim] == "pending"
    assert "PAUSED: the database was restored" in switch(world, "status")
    switch(world, "resume")
    world.run(start(world), 200)
    assert set(world.states().values()) == {"paid"}
    world.check()


def test_a_pause_while_no_payouts_process_runs_is_not_lost_with_the_database(world: World) -> None:
    world.run(start(world), 15)
    backup = world.ledger.backup()
    switch(world, "pause")
    world.ledger.restore(backup)
    world.tick()
    start(world)
    assert "PAUSED: the database was restored" in switch(world, "status")


def test_a_decision_on_a_restored_database_says_so_and_does_not_hide_it(world: World) -> None:
    """The decision comes before the payouts process starts on the copy."""
    world.run(start(world), 15)
    backup = world.ledger.backup()
    switch(world, "pause")
    world.ledger.restore(backup)
    claim = world.withdraw("alice", "PEK", "0.01", to="dave")
    world.tick(3)
    run = peakedex("payouts", "approve", claim, "--db", world.ledger.url)
    assert run.code == OK
    assert "Note: the database was restored" in run.err
    world.run(start(world), 60)
    assert world.states()[claim] == "pending"


def test_the_same_database_does_not_pause(world: World) -> None:
    runner = start(world)
    for _ in range(2):
        claim = world.withdraw("alice", "HBD", "1")
        world.run(runner, 60)
        assert world.states()[claim] == "paid"
        runner = start(world)


def test_a_restored_snapshot_starts_paused_without_a_mark(world: World) -> None:
    """As `peakedex restore` leaves it, on a machine that has never paid."""
    with world.ledger.engine.begin() as connection:
        payout_pause.pause_at_next_start(connection)
    claim = world.withdraw("alice", "HBD", "1")
    runner = start(world)
    world.run(runner, 60)
    assert world.states() == {claim: "pending"}
    switch(world, "resume")
    world.run(runner, 100)
    assert world.states() == {claim: "paid"}


def test_the_mark_is_beside_the_database_or_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    RestoreMark.of_database(f"sqlite:///{tmp_path}/dex.db").update(Mark(1, 2))
    assert (tmp_path / "dex.db.payouts").read_text() == '{"decisions": 1, "payments": 2}'
    url = "postgresql://payouts:secret@localhost/dex"
    RestoreMark.of_database(url).update(Mark(3, 4))
    [file] = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o660
    other = RestoreMark.of_database(url.replace("secret", "changed"))
    assert other.is_behind(Mark(3, 3))
    assert other.is_behind(Mark(2, 9))
    assert not other.is_behind(Mark(3, 4))


def test_links_beside_the_mark_are_not_followed(tmp_path: Path) -> None:
    """A compromised indexer, which may write into the folder, plants them where the new file is written."""
    (tmp_path / "other").write_text("keys")
    mark = RestoreMark(tmp_path / "mark")
    (tmp_path / f"mark.{os.getpid()}").symlink_to(tmp_path / "other")
    mark.update(Mark(1, 2))
    assert (tmp_path / "other").read_text() == "keys"
    assert not (tmp_path / "mark").is_symlink()
    assert mark.is_behind(Mark(1, 1))


def test_a_mark_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    mark = RestoreMark(tmp_path / "file" / "mark")
    mark.update(Mark(1, 1))
    assert "cannot be written" in caplog.text
    assert not mark.is_behind(Mark(0, 0))
    (tmp_path / "mark").write_text("no JSON")
    assert not RestoreMark(tmp_path / "mark").is_behind(Mark(0, 0))


def test_what_is_signed_outlives_a_power_failure_before_it_is_sent(world: World) -> None:
    """SQLite's level FULL: a commit is on the disk when it returns. With less the last ones may be lost."""
    with open_payout_log(world.ledger.url).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
