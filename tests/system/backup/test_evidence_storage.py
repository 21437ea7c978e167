"""Publishing evidence into every kind of storage, where an older manifest is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.ops.backup.storage import Credentials, open_storage
from indexer.sources.evidence import Evidence
from tests.system.backup.servers import KINDS, Server, running
from tests.system.cli.command import FAILED, OK, peakedex


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(request.param, tmp_path_factory.mktemp("server")) as found:
        yield found


def everything(server: Server, to: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All files of a storage in a folder, as a web server in front of it would serve them."""
    to.mkdir()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    variables = (f"PEAKEDEX_BACKUP_{name.upper()}" for name in Credentials._fields)
    with open_storage(server.url, Credentials(*map(server.environment.get, variables))) as storage:
        for name in storage.names():
            storage.get(name, to / name)
    return to


@pytest.mark.parametrize("server", KINDS, indirect=True)
def test_evidence_in_every_kind_of_storage(
    server: Server, made: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty blocks in three steps, each of which replaces the manifest."""
    words = ("publish", "--db", made / "peakedex.db", "--archive", made / "chain", "--to", server.url)
    run = peakedex(*words, "--part-blocks", 15, "--json", **server.environment)
    assert run.code == OK, run.err
    assert (run.json["parts"], run.json["last_block"]) == (3, 40)
    assert peakedex(*words, "--json", **server.environment).json["uploaded_files"] == 0
    there = everything(server, here / "there", monkeypatch)
    fetched = peakedex("fetch", "--from", there, "--out", "got", "--json")
    assert fetched.json["total_bytes"] == run.json["total_bytes"]
    replay = ("replay", "--venue", fetched.json["venue_file"], "--archive", "got", "--json")
    assert peakedex(*replay).json["state_hash"] == run.json["state_hash"]


@pytest.mark.parametrize("server", ["ftp"], indirect=True)
@pytest.mark.parametrize("fault", ["full", "drops", "loses"])
def test_a_storage_that_fails_leaves_no_manifest(fault: str, server: Server, made: Path, here: Path) -> None:
    words = ("publish", "--db", made / "peakedex.db", "--archive", made / "chain", "--to", server.url)
    server.faults.add(fault)
    run = peakedex(*words, **server.environment)
    assert run.code == FAILED
    assert ".zst.part" in run.complaint
    assert "manifest.json" not in server.names()
    server.faults.clear()
    assert peakedex(*words, **server.environment).code == OK
    Evidence(server.folder).check_files()
