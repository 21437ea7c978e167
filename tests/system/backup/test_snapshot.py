"""Snapshots: identical from both kinds of database, consistent, and restorable."""

from __future__ import annotations

import errno
import json
import os
import signal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from indexer.cli.snapshot import cleanup_on_sigterm
from indexer.ops.backup.backups import make_backup
from indexer.ops.backup.files import new_file
from indexer.ops.backup.restore import RestoreChecks, restore
from indexer.ops.backup.snapshot_file import write_snapshot
from indexer.ops.backup.storage import Credentials, open_storage
from settlement.core.journal.state_text import state_hash
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import StoreError, closing_writer, open_reader
from settlement.store.write.loader import load as load_engine
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.snapshot import PAYOUT_TABLES, STATE_TABLES, SnapshotError
from tests.system.backup.archives import create, files, load, members, resume_payouts
from tests.system.cli.command import FAILED, MISUSED, OK, peakedex
from tests.system.store.chains import VENUE_TEXT, demo, dump, journal, picture, read_on, replay


def test_every_table_is_somebody_s() -> None:
    """Each table is part of the state, of the payout log, or local."""
    local = {"indexer_status", "lease", "change_sets", "state_check", "escrow_balances", "payout_lease"}
    payouts = {
        f"payout_{name}"
        for name in (
            *("approvals", "members", "notes", "refusals", "settings", "token_approvals", "transactions"),
        )
    }
    assert {table.name for table in PAYOUT_TABLES} == payouts
    assert {table.name for table in STATE_TABLES} == set(schema.metadata.tables) - local - payouts


def test_it_is_the_same_file_wherever_the_rows_lie(snapshot: Path, here: Path, postgresql: str) -> None:
    """SQLite → PostgreSQL → SQLite, byte for byte and row for row."""
    load(snapshot, postgresql)
    create(postgresql, here / "second")
    load(here / "second", str(here / "third.db"))
    create(str(here / "third.db"), here / "third")
    assert (here / "second").read_bytes() == snapshot.read_bytes() == (here / "third").read_bytes()


def test_the_restored_database_holds_every_row(database: Path, snapshot: Path, here: Path) -> None:
    load(snapshot, str(here / "new.db"))
    with closing_writer(str(database)) as old, closing_writer(str(here / "new.db")) as new:
        assert dump(new) == dump(old)
        assert picture(load_engine(new).state) == picture(load_engine(old).state)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_node_that_starts_from_a_snapshot_goes_on_as_one_that_never_stopped(
    kind: str, made: Path, here: Path, request: pytest.FixtureRequest
) -> None:
    _, database = replay(made / "chain", str(here / "half.db"), until=20)
    database.dispose()
    assert create(str(here / "half.db"), here / "half").block == 20
    url = request.getfixturevalue("postgresql") if kind == "postgresql" else str(here / "new.db")
    load(here / "half", url)
    with closing_writer(url) as new, closing_writer(str(made / "peakedex.db")) as old:
        rules, projector = load_or_initialise(new, demo())
        read_on(rules, projector, made / "chain")
        assert picture(rules.state) == picture(load_engine(old).state)
        assert dump(new) == dump(old)
        assert journal(new) == journal(old)


def test_it_is_of_one_moment_while_the_indexer_goes_on(made: Path, here: Path) -> None:
    with closing_writer(str(here / "live.db")) as live:
        rules, projector = load_or_initialise(live, demo())
        read_on(rules, projector, made / "chain", until=20)
        before = state_hash(rules.state)
        reader = open_reader(str(here / "live.db"))
        with reader.connect() as connection, (here / "file").open("wb") as file:

            def meanwhile(_: int) -> None:
                if rules.next_block() <= 40:
                    read_on(rules, projector, made / "chain", until=rules.next_block())

            manifest = write_snapshot(connection, file, network="test", on_rows=meanwhile)
        reader.dispose()
        assert rules.next_block() > 25
    assert (manifest.block, manifest.state_hash) == (20, before)
    assert load(here / "file", str(here / "new.db")).manifest == manifest


def test_a_table_of_many_members_is_the_same_table(database: Path, here: Path) -> None:
    """Members end between rows, and a longer row has its own member."""
    whole = create(str(database), here / "whole")
    parts = create(str(database), here / "parts", member_bytes=900)
    assert parts == whole
    names = [name for name in members(here / "parts") if name.startswith("journal/")]
    assert len(names) > 20
    load(here / "parts", str(here / "new.db"))
    with closing_writer(str(here / "new.db")) as new, closing_writer(str(database)) as old:
        assert dump(new) == dump(old)


def test_anybody_can_check_it_with_tar_zstdcat_and_sha256sum(snapshot: Path) -> None:
    contents = members(snapshot)
    manifest = json.loads(contents.pop("manifest.json"))
    for name, figures in manifest["tables"].items():
        packed = [content for member, content in sorted(contents.items()) if member.startswith(f"{name}/")]
        text = b"".join(map(zstandard.ZstdDecompressor().decompress, packed))
        assert (figures["bytes"], figures["sha256"]) == (len(text), sha256(text).hexdigest())
        assert figures["rows"] == text.count(b"\n")


def payout_rows(path: Path) -> dict[str, list[Any]]:
    with closing_writer(str(path)) as engine, engine.connect() as connection:
        return {table.name: list(connection.execute(table.select())) for table in PAYOUT_TABLES}


def test_records_of_payouts_travel_only_where_they_are_asked_for(database: Path, here: Path) -> None:
    theirs = payout_rows(database)
    assert any(theirs.values())
    for payouts in (False, True):
        create(str(database), here / "file", payouts=payouts)
        assert any(name.startswith("payout_") for name in members(here / "file")) is payouts
        new = here / f"{payouts}.db"
        load(here / "file", str(new))
        resume_payouts(str(new))
        assert payout_rows(new) == (theirs if payouts else {name: [] for name in theirs})


def test_the_same_moment_before_any_block(here: Path) -> None:
    with closing_writer(str(here / "first.db")) as engine:
        load_or_initialise(engine, demo())
    manifest = create(str(here / "first.db"), here / "file")
    assert (manifest.block, manifest.block_id, manifest.time) == (demo().start_block - 1, None, None)
    load(here / "file", str(here / "new.db"))
    with closing_writer(str(here / "new.db")) as engine:
        assert load_engine(engine).next_block() == demo().start_block


def test_into_a_database_that_holds_something_nothing_is_restored(
    database: Path, snapshot: Path, postgresql: str
) -> None:
    before = database.read_bytes()
    with pytest.raises(StoreError, match="is not empty"):
        load(snapshot, str(database))
    assert database.read_bytes() == before
    load(snapshot, postgresql)
    with pytest.raises(StoreError, match="is not empty"):
        load(snapshot, postgresql)


def test_it_must_be_of_the_venue_that_was_named(snapshot: Path, here: Path) -> None:
    other = parse_venue(VENUE_TEXT.replace("max_open_orders = ", "max_open_orders = 1"))
    with pytest.raises(SnapshotError, match="it belongs to another venue"):
        load(snapshot, str(here / "new.db"), venue=other)
    assert not list(here.glob("new*"))


def test_the_commands(database: Path, here: Path) -> None:
    run = peakedex("snapshot", "create", "--db", database, "--to", "out", "--network", "devnet", "--json")
    assert run.code == OK
    (here / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    words = ("snapshot", "restore", "--from", "out", "--db", "new.db", "--venue", "venue.toml", "--json")
    again = peakedex(*words, "--ignore-checkpoint")
    assert again.code == OK
    assert again.json["checkpoint"] == "none"
    for name in ("network", "venue_hash", "block", "block_id", "journal_hash", "state_hash", "rows"):
        assert again.json[name] == run.json[name]
    told = peakedex("state", "--db", "new.db", "--json").json
    for name in ("venue_hash", "block", "block_id", "journal_hash", "state_hash"):
        assert told[name] == run.json[name]
    assert files(here) == ["new.db", "out", "peakedex.db", "venue.toml"]


def test_commands_that_cannot_be_say_why(database: Path, here: Path) -> None:
    (here / "out").write_bytes(b"mine")
    run = peakedex("snapshot", "create", "--db", database, "--to", "out")
    assert (run.code, run.complaint) == (
        MISUSED,
        "Error: out exists: choose another file, or remove it",
    )
    run = peakedex("snapshot", "create", "--db", database, "--to", "no/out")
    assert run.code == FAILED
    assert run.complaint.startswith("Error: no/out cannot be written: No such file")
    run = peakedex("snapshot", "restore", "--from", "out", "--db", "new.db")
    assert (run.code, run.complaint) == (FAILED, "Error: out: it is not a snapshot, damaged, or truncated")
    run = peakedex("snapshot", "create", "--db", "none.db", "--to", "new")
    assert run.code == MISUSED
    assert files(here) == ["out", "peakedex.db"]
    assert (here / "out").read_bytes() == b"mine"


def test_ended_by_a_signal_nothing_is_left(snapshot: Path, database: Path, here: Path) -> None:
    def struck(_: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), cleanup_on_sigterm():
        restore(snapshot, str(here / "new.db"), RestoreChecks(ignore_checkpoint=True), on_rows=struck)
    with (
        pytest.raises(KeyboardInterrupt),
        cleanup_on_sigterm(),
        open_reader(str(database)).connect() as connection,
        new_file(here / "new") as file,
    ):
        write_snapshot(connection, file, network="test", on_rows=struck)
    assert files(here) == ["peakedex.db", "peakedex.snapshot"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_full_disk_is_an_error_and_leaves_nothing(database: Path, here: Path) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (here / "place").mkdir()
    with open_reader(str(database)).connect() as connection:
        with (
            pytest.raises(SnapshotError, match="new cannot be written: No space left on device"),
            new_file(here / "new") as file,
        ):
            write_snapshot(connection, file, network="test", on_rows=full)
        with (
            pytest.raises(SnapshotError, match=r"temporary files cannot be written \(No space left"),
            open_storage(str(here / "place"), Credentials()) as storage,
        ):
            make_backup(connection, storage, network="test", daily=1, rolling=1, on_rows=full)
    assert (files(here), files(here / "place")) == (["peakedex.db", "place"], [])
