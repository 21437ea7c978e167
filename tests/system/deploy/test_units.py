"""The systemd units: a separate unprivileged user each, and keys for payouts only."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from settlement.payouts.payout_log import open_payout_log
from settlement.store.change_detector import open_change_detector
from settlement.store.database import open_reader, open_writer
from tests.system.deploy.server import ROOT

FOLDER: Final = ROOT / "deploy" / "systemd"
UNITS: Final = {path.stem: path for path in sorted(FOLDER.glob("*.service"))}
NEEDED: Final = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "LimitCORE": "0",
}


def options(name: str) -> dict[str, list[str]]:
    """The options of a unit's [Service] section, each with all its values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNITS[name].read_text("ascii").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


SERVICES: Final = ("indexer", "api", "payouts", "relay", "notify")


@pytest.mark.parametrize("name", [f"peakedex-{name}" for name in SERVICES])
def test_a_service_has_no_rights(name: str) -> None:
    found = options(name)
    assert {key: found.get(key) for key in NEEDED} == {key: [value] for key, value in NEEDED.items()}
    assert found["SystemCallFilter"][0] == "@system-service"
    assert found["SystemCallFilter"][1].startswith("~@privileged ")
    assert "Environment" not in found  # `systemctl show` displays it to every user
    assert "PassEnvironment" not in found
    assert found["ExecStart"][0].startswith("/opt/peakedex/bin/peakedex ")


def test_payouts_keep_their_secrets() -> None:
    found = options("peakedex-payouts")
    alone = {
        "UMask": "0077",
        "MemorySwapMax": "0",
        "InaccessiblePaths": "/etc/peakedex/payouts.env",  # the keys come in its environment
        "ProtectProc": "invisible",
        "ExecStart": "/opt/peakedex/bin/peakedex payouts",
        "SocketBindDeny": "any",
    }
    assert {name: found.get(name) for name in alone} == {name: [value] for name, value in alone.items()}
    assert found["EnvironmentFile"] == ["/etc/peakedex/peakedex.env", "/etc/peakedex/payouts.env"]
    assert "@resources" not in found["SystemCallFilter"][1]  # the process sets its own limit of core dumps


def test_only_the_api_and_the_relay_listen() -> None:
    deaf = {name for name in UNITS if "~listen accept accept4" in options(name)["SystemCallFilter"]}
    assert set(UNITS) - deaf == {"peakedex-api", "peakedex-relay"}


def test_the_relay_reaches_neither_keys_nor_the_database() -> None:
    found = options("peakedex-relay")
    assert found["DynamicUser"] == ["yes"]
    assert found["InaccessiblePaths"] == ["-/etc/peakedex/payouts.env -/var/lib/peakedex"]
    assert found["EnvironmentFile"] == ["/etc/peakedex/peakedex.env"]


def test_notifications_reach_neither_keys_nor_the_database() -> None:
    found = options("peakedex-notify")
    assert found["User"] == found["Group"] == ["peakedex-notify"]
    assert "SupplementaryGroups" not in found
    assert found["EnvironmentFile"] == [
        "-/etc/peakedex/notify.env"
    ]  # not the settings: they may hold a password
    [hidden] = found["InaccessiblePaths"]
    assert {"-/etc/peakedex/payouts.env", "-/etc/peakedex/backup.env", "-/var/lib/peakedex"} <= set(
        hidden.split()
    )


def test_keys_are_for_payouts_alone() -> None:
    for name in UNITS:
        files = options(name).get("EnvironmentFile", [])
        assert ("/etc/peakedex/payouts.env" in files) == (name == "peakedex-payouts"), name
    for name in ("peakedex-indexer", "peakedex-api"):
        assert options(name)["InaccessiblePaths"] == ["-/etc/peakedex/payouts.env"]


def test_each_has_a_user_of_its_own_and_the_api_writes_nowhere() -> None:
    users = [options(name)["User"][0] for name in ("peakedex-indexer", "peakedex-api", "peakedex-payouts")]
    assert len(set(users)) == 3
    assert "root" not in users
    assert "ReadWritePaths" not in options("peakedex-api")
    assert options("peakedex-api")["SupplementaryGroups"] == ["peakedex"]
    assert options("peakedex-indexer")["ReadWritePaths"] == ["/var/lib/peakedex"]
    assert options("peakedex-indexer")["UMask"] == ["0007"]


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """Verified by systemd where it is installed; otherwise only the syntax of each line."""
    for path in FOLDER.iterdir():
        for line in path.read_text("ascii").splitlines():
            assert re.fullmatch(r"(#.*|\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=.*|)", line), f"{path.name}: {line}"
        (tmp_path / path.name).write_text(re.sub(r"/opt/peakedex/bin/\S+", "/bin/true", path.read_text()))
    if analyze := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [analyze, "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))],
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if "peakedex" in line]
        assert (done.returncode, said) == (0, []), done.stderr


# ---------------------------------------------------------------- the API's view of an SQLite file


def as_reader(folder: Path, look: Callable[[], str]) -> str:
    """Result of `look` in a process that can read this folder but not write it (as another user, if we are root)."""
    folder.chmod(0o755 if os.getuid() == 0 else 0o555)
    for path in folder.iterdir():
        path.chmod(0o644 if os.getuid() == 0 else 0o444)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            os.write(write, look().encode())
        except Exception as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    with os.fdopen(read) as said:
        return said.read()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A database in a folder that other users may enter, unlike pytest's own."""
    folder = Path(f"/tmp/peakedex-view-{os.getpid()}-{tmp_path.name}")
    folder.mkdir()
    yield folder / "peakedex.db"
    shutil.rmtree(folder)


def test_the_api_s_view_of_an_sqlite_file_is_read_only(database: Path) -> None:
    """It reads while the indexer writes, cannot write, and works after the unit's ExecStopPost."""
    writer = open_writer(str(database))

    def note(value: str) -> None:
        with writer.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS mark (a)"))
            connection.execute(text("INSERT INTO mark VALUES (:value)"), {"value": value})

    def look() -> str:
        eye = open_change_detector(str(database))
        eye.changed()
        with open_reader(str(database)).connect() as connection:
            return ",".join(connection.scalars(text("SELECT a FROM mark")))

    def write() -> str:
        with closing(sqlite3.connect(database)) as plain:
            plain.execute("INSERT INTO mark VALUES ('mine')")
            plain.commit()
        return "written"

    note("one")
    assert as_reader(database.parent, look) == "one"
    assert "readonly" in as_reader(database.parent, write)
    writer.dispose()  # the last writer deletes the two files beside the database
    assert "StoreError" in as_reader(database.parent, look)
    for unit, key in (("peakedex-indexer", "ExecStopPost"), ("peakedex-api", "ExecStartPre")):
        [cure] = options(unit)[key]
        command = re.fullmatch(r"-(\+/usr/bin/setpriv \S+=peakedex-indexer .*)?/bin/sh -c '(.*)'", cure)
        assert command is not None
        script = command[2].replace("/var/lib/peakedex", str(database.parent))
        subprocess.run(["sh", "-c", script], check=True)
        assert as_reader(database.parent, look) == "one"
        open_payout_log(str(database)).dispose()  # `payouts pause`, with all else stopped
        assert "StoreError" in as_reader(database.parent, look)
    writer = open_writer(str(database))
    note("two")
    assert as_reader(database.parent, look) == "one,two"
    writer.dispose()
