"""Backups in every kind of storage: creation, verification, retention, restore, and failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Table, update

from indexer.ops.backup.backups import make_backup
from indexer.ops.backup.storage import Credentials, StorageError, open_storage
from settlement.store import payout_schema, schema
from settlement.store.database import closing_writer, open_reader
from settlement.store.lease import Lease
from tests.system.backup.archives import create, files, members, resume_payouts
from tests.system.backup.servers import KINDS, PASSWORD, Server, running, sftp
from tests.system.cli.command import FAILED, MISUSED, OK, in_process, peakedex
from tests.system.store.chains import dump


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(request.param, tmp_path_factory.mktemp("server")) as found:
        yield found


def at(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", kinds, indirect=True)


@at(*KINDS)
def test_a_backup_comes_back_as_it_was(server: Server, database: Path, scratch: Path, here: Path) -> None:
    run = peakedex("backup", "--db", database, "--to", server.url, "--json", **server.environment)
    assert run.code == OK, run.err
    name = run.json["name"]
    assert server.names() == [f"{name}.json", f"{name}.snapshot"]
    (listed,) = peakedex("backup", "list", "--from", server.url, "--json", **server.environment).lines
    assert json.loads(listed)["name"] == name
    assert json.loads(listed)["bytes"] == run.json["bytes"]
    words = ("restore", "--from", server.url, "--db", "new.db", "--ignore-checkpoint", "--json")
    again = peakedex(*words, **server.environment)
    assert again.code == OK, again.err
    assert (again.json["name"], again.json["state_hash"]) == (name, run.json["state_hash"])
    create(str(database), here / "before", payouts=True)
    resume_payouts("new.db")
    create("new.db", here / "after", payouts=True)
    both = [members(path) for path in (here / "before", here / "after")]
    assert both[0] == both[1]
    assert any(name.startswith("payout_") for name in both[0])
    assert list(scratch.iterdir()) == []


def credentials_of(server: Server) -> Credentials:
    variables = (f"PEAKEDEX_BACKUP_{name.upper()}" for name in Credentials._fields)
    return Credentials(*map(server.environment.get, variables))


@at("folder", "ftp")
def test_what_the_policy_does_not_keep_goes_and_what_others_put_there_stays(
    server: Server, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    night = datetime(2026, 3, 1, 3, tzinfo=UTC)
    engine = open_reader(str(database))
    with engine.connect() as connection, open_storage(server.url, credentials_of(server)) as place:
        mine = database.with_name("mine")
        mine.write_bytes(b"mine")
        strangers = ["notes.txt", "peakedex-" + "0" * 16 + "-20200101T000000Z-1.snapshot"]
        for name in strangers:
            place.put(mine, name)
        made = [
            make_backup(
                connection,
                place,
                network="test",
                daily=2,
                rolling=1,
                now=partial(night.__add__, at),
            )
            for at in (timedelta(), timedelta(hours=1), timedelta(days=1), timedelta(days=2))
        ]
    engine.dispose()
    stay = [made[2].backup, made[3].backup]
    assert [each.deleted for each in made] == [[], [made[0].backup], [], [made[1].backup]]
    assert server.names() == sorted(
        [*strangers, *(n for each in stay for n in (each.snapshot, each.manifest))]
    )


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        ("ftp", "full"),
        ("ftp", "drops"),
        ("ftp", "loses"),
        ("ftps", "full"),
        ("sftp", "full"),
        ("sftp", "drops"),
    ],
    indirect=["server"],
)
def test_what_goes_wrong_on_the_way_leaves_the_older_backups_alone(
    fault: str, server: Server, database: Path, scratch: Path
) -> None:
    words = ("backup", "--db", database, "--to", server.url)
    assert peakedex(*words, **server.environment).code == OK
    for path in server.folder.iterdir():  # it was made earlier
        name, venue, _, rest = path.name.split("-")
        path.rename(server.folder / f"{name}-{venue}-20260101T000000Z-{rest}")
    before = server.names()
    server.faults.add(fault)
    run = peakedex(*words, "--backup-rolling", 1, "--backup-daily", 1, **server.environment)
    assert run.code == FAILED
    assert run.complaint.startswith(f"Error: {server.url}: " if fault != "loses" else "Error: peakedex-"), (
        run.err
    )
    assert PASSWORD not in run.err
    left = set(server.names()) - set(before)
    assert set(before) <= set(server.names())
    assert all(name.endswith(".part") for name in left)
    assert left == set() or fault == "drops"  # then nobody could take it back: later backups will
    assert len(peakedex("backup", "list", "--from", server.url, **server.environment).lines) == 1
    assert list(scratch.iterdir()) == []
    server.faults.clear()


@at("ftp", "ftps", "sftp")
def test_after_a_failed_transfer_the_next_command_gets_its_own_answer(server: Server, tmp_path: Path) -> None:
    """The file is larger than what the system's buffers hold, so the connection ends while it is sent."""
    file = tmp_path / "large"
    file.write_bytes(b"x" * 8_000_000)
    server.faults.add("full")
    with open_storage(server.url, credentials_of(server)) as storage:
        with pytest.raises(StorageError, match=r"large.part cannot be written: "):
            storage.put(file, "large.part")
        storage.delete("large.part")
        assert storage.names() == {}


@at("ftp", "sftp")
def test_a_wrong_password_is_told_without_it(server: Server, database: Path) -> None:
    wrong = {**server.environment, "PEAKEDEX_BACKUP_PASSWORD": "wr0ng-pass"}
    run = peakedex("backup", "--db", database, "--to", server.url, **wrong)
    assert run.code == FAILED
    assert run.complaint.startswith(f"Error: {server.url}: ")
    assert "wr0ng-pass" not in run.err
    assert server.names() == []


@at("sftp", "ftps")
def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
    server: Server, database: Path, here: Path
) -> None:
    (here / "nobody").write_text("")
    unknown = {**server.environment, "PEAKEDEX_BACKUP_KNOWN_HOSTS": str(here / "nobody")}
    unknown.pop("PEAKEDEX_BACKUP_CA_FILE", None)
    run = peakedex("backup", "--db", database, "--to", server.url, **unknown)
    assert run.code == FAILED
    assert "not found in known_hosts" in run.complaint or "certificate verify failed" in run.complaint
    assert server.names() == []


BAD_PLACES = {
    "ftp://me:hidden@127.0.0.1/x": "remove the password from the URL",
    "gopher://127.0.0.1/x": "backup storage must be a folder, ftp://",
    "": "no place is named: backup storage must be a folder",
    "ftp://[::1": "is not a URL",
    "s3:///x": "the bucket is missing",
    "sftp:///x": "the server is missing",
    "file://host/x": "three slashes",
    "ftp://127.0.0.1:9/x": "Connection refused",
    "nowhere": "no such file or folder",
}


@pytest.mark.parametrize("url", BAD_PLACES)
def test_places_that_are_none(url: str, database: Path, here: Path) -> None:
    run = peakedex("backup", "--db", database, "--to", url)
    assert run.code == FAILED
    assert BAD_PLACES[url] in run.complaint
    assert "hidden" not in run.err
    assert files(here) == ["peakedex.db"]


@at("folder")
def test_a_backup_that_was_changed_at_its_place_is_not_restored(
    server: Server, database: Path, here: Path, scratch: Path
) -> None:
    assert peakedex("backup", "--db", database, "--to", server.url).code == OK
    (backup,) = server.folder.glob("*.snapshot")
    whole, before = backup.read_bytes(), database.read_bytes()
    for content in (whole[:-600], whole[:5_000] + b"x" + whole[5_001:], b""):
        backup.write_bytes(content)
        run = peakedex("restore", "--from", server.url, "--db", database)
        assert run.code == FAILED
        assert run.complaint == f"Error: {backup.name} does not match its manifest: it is damaged"
    backup.with_suffix(".json").write_text('{"size": 1}')
    assert peakedex("restore", "--from", server.url, "--db", database).code == FAILED
    assert (database.read_bytes(), files(here)) == (before, ["peakedex.db"])
    assert list(scratch.iterdir()) == []


@at("folder")
def test_a_restore_keeps_the_old_database_beside_the_new_one(
    server: Server, database: Path, here: Path
) -> None:
    assert peakedex("backup", "--db", database, "--to", server.url).code == OK
    database.chmod(0o660)
    with closing_writer(str(database)) as engine:
        original = dump(engine)
        with engine.begin() as connection:
            connection.execute(update(schema.balances).values(available=schema.balances.c.available + 1))
        spoiled = dump(engine)
    words = ("restore", "--from", server.url, "--db", database, "--ignore-checkpoint", "--json")
    reader = open_reader(str(database))  # an API that still runs
    with reader.connect() as connection:
        connection.execute(schema.cursor.select()).all()
        connection.rollback()
        run = peakedex(*words)
    reader.dispose()
    assert run.code == OK, run.err
    old = Path(run.json["old_database"])
    assert files(here) == ["peakedex.db", old.name]
    assert database.stat().st_mode & 0o777 == 0o660
    with closing_writer(str(database)) as new, closing_writer(str(old)) as before:
        assert dump(new) == original
        assert dump(before) == spoiled


@at("folder")
@pytest.mark.parametrize("table", [schema.lease, payout_schema.lease])
def test_restore_is_refused_while_another_process_holds_a_lease(
    table: Table, server: Server, database: Path, here: Path
) -> None:
    assert peakedex("backup", "--db", database, "--to", server.url).code == OK
    with closing_writer(str(database)) as engine, Lease(engine, table=table):
        run = in_process("restore", "--from", server.url, "--db", database, "--ignore-checkpoint")
    assert run.code == MISUSED
    assert "is running on this database" in run.error
    assert files(here) == ["peakedex.db"]


@at("folder")
def test_which_backup_is_restored(server: Server, database: Path, made: Path, here: Path) -> None:
    assert peakedex("backup", "--db", database, "--to", server.url).code == OK
    (first,) = server.folder.glob("*.snapshot")
    other = first.name.replace(first.name.split("-")[1], "0" * 16)
    for ending in (".snapshot", ".json"):
        (server.folder / other).with_suffix(ending).write_bytes(first.with_suffix(ending).read_bytes())
    run = peakedex("restore", "--from", server.url, "--db", "new.db")
    assert (run.code, "several venues" in run.complaint) == (FAILED, True)
    run = peakedex("restore", "--from", server.url, "--db", "new.db", "--name", "none")
    assert (run.code, "no such backup" in run.complaint) == (FAILED, True)
    words = ("restore", "--from", server.url, "--db", "new.db", "--ignore-checkpoint")
    assert peakedex(*words, "--name", first.stem).code == OK


@at("folder")
def test_the_database_of_another_venue_is_never_replaced(server: Server, database: Path, here: Path) -> None:
    assert peakedex("backup", "--db", database, "--to", server.url).code == OK
    with closing_writer(str(database)) as engine, engine.begin() as connection:
        connection.execute(update(schema.cursor).values(venue_hash="0" * 64))
    run = peakedex("restore", "--from", server.url, "--db", database, "--ignore-checkpoint")
    assert (run.code, "is not empty" in run.error) == (MISUSED, True)


@at("folder")
def test_a_database_on_postgresql_is_backed_up_and_comes_back_into_a_new_one(
    postgresql: str, server: Server, database: Path, here: Path, scratch: Path
) -> None:
    from tests.support.postgres import drop_database, new_database

    assert peakedex("backup", "--db", database, "--to", server.url).code == OK
    words = ("restore", "--from", server.url, "--ignore-checkpoint", "--db")
    assert peakedex(*words, postgresql).code == OK
    for old in server.folder.iterdir():
        old.unlink()
    assert peakedex("backup", "--db", postgresql, "--to", server.url).code == OK
    second = new_database(migrated=False)
    assert peakedex(*words, second).code == OK
    resume_payouts(second, restores=2)
    create(second, here / "second", payouts=True)
    create(str(database), here / "first", payouts=True)
    assert (here / "second").read_bytes() == (here / "first").read_bytes()
    drop_database(second)


def test_a_place_that_loses_its_server_is_an_error_of_one_kind(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    with sftp(folder, tmp_path / "known") as server:
        credentials = Credentials(
            server.environment["PEAKEDEX_BACKUP_USER"], PASSWORD, None, str(tmp_path / "known")
        )
        with open_storage(server.url, credentials) as place:
            place.names()
            server.environment.clear()
            with pytest.raises(StorageError, match="gone cannot be read: no such file"):
                place.get("gone", tmp_path / "here")
