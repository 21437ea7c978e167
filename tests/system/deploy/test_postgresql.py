"""deploy.sh on a real PostgreSQL: an upgrade migrates a copy, and whatever fails leaves the old database in place.

The new version has a second revision of the schema. Its database is elsewhere (`--db`), with a role that may create
databases; on the server's own machine the script does the same as the superuser.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sysconfig
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from settlement.store.database import StoreError, open_reader
from tests.support.postgres import execute, programs, server
from tests.support.shared_python import shared_python
from tests.support.waiting import wait_until
from tests.system.deploy.server import LATER_REVISION, NAME, ROOT, WORKS, Done, Machine, machine

REVISION: Final = (
    LATER_REVISION
    + """    op.add_column("orders", sa.Column("later", sa.Integer, nullable=True))
    op.execute("INSERT INTO mark VALUES (2)")
"""
)
DEAD: Final = """if [ "$1" = serve ]; then echo "the API has a bug" >&2; exit 1; fi
exec """


@dataclass
class Installed:
    """A machine with a first version, its database, and the second version's program."""

    machine: Machine
    url: str
    next_program: str

    def database(self, end: str = "") -> str:
        """The URL of the database, or of another one whose name continues with this."""
        name = conninfo_to_dict(self.url)["dbname"]
        return self.url.replace(f"/{name}?", f"/{name}{end}?")

    def names(self) -> set[str]:
        """The databases beside the one in use: the ends of their names."""
        name = str(conninfo_to_dict(self.url)["dbname"])
        found = execute(
            server().url("postgres"), f"SELECT datname FROM pg_database WHERE datname LIKE '{name}%'"
        )
        return {row[0].removeprefix(name) for row in found} - {""}

    def content(self) -> tuple[str, int]:
        """Schema revision, and the number of rows of the table `mark`."""
        [(revision,)] = execute(self.url, "SELECT version_num FROM alembic_version")
        [(count,)] = execute(self.url, "SELECT count(*) FROM mark")
        return revision, count

    def upgrade(self, program: str, *words: object) -> Done:
        """Install the second version."""
        migration = self.machine.checkout / "alembic/versions/0003.py"
        migration.write_text(REVISION)
        self.machine.program(program.replace("@PEAKEDEX@", self.next_program))
        return self.machine.install("--systemd", *words, script="deploy.sh")

    def wrap(self, name: str, text: str) -> None:
        """Put a script before a program of PostgreSQL's."""
        path = self.machine.folder / "programs" / name
        path.unlink()
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def unwrap(self, name: str) -> None:
        path = self.machine.folder / "programs" / name
        path.unlink()
        path.symlink_to(programs() / name)


def write_next_program(folder: Path) -> str:
    """A `peakedex` with a further migration."""
    for name in ("settlement", "indexer", "api"):
        shutil.copytree(ROOT / name, folder / name)
    migrations = shutil.copytree(ROOT / "alembic", folder / "settlement/store/migrations")
    (migrations / "versions/0003.py").write_text(REVISION)
    path = folder / "peakedex"
    packages = f"{folder}:{sysconfig.get_path('purelib')}"
    command = "from indexer.cli import main; main(prog_name='peakedex')"
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(packages)} exec {shlex.quote(shared_python())} -sc "{command}" "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def prepared() -> Iterator[tuple[Machine, str]]:
    """A machine with PostgreSQL's programs, and the second version's program."""
    with machine() as found:
        for name in ("psql", "pg_dump", "pg_restore"):
            (found.folder / "programs" / name).symlink_to(programs() / name)
        yield found, write_next_program(found.folder / "next")


@pytest.fixture
def installed(prepared: tuple[Machine, str]) -> Iterator[Installed]:
    """The machine with a first version in a new database, with a row of its own."""
    here, next_program = prepared
    here.sick.clear()
    (here.root / "failing").unlink(missing_ok=True)
    name = f"deploy_{uuid.uuid4().hex[:8]}"
    admin = server().url("postgres")
    execute(admin, f"CREATE ROLE {name} LOGIN CREATEDB", f"CREATE DATABASE {name} OWNER {name}")
    given = conninfo_to_dict(server().url(name))
    place = "&".join(f"{key}={given[key]}" for key in ("host", "port") if given.get(key))
    url = f"postgresql://{name}@/{name}?{place}"
    for path in ("opt/peakedex", "etc/peakedex"):
        shutil.rmtree(here.root / path, ignore_errors=True)
    (here.checkout / "alembic/versions/0003.py").unlink(missing_ok=True)
    here.program(WORKS)
    done = here.install("--db", url, script="deploy.sh")
    assert done.code == 0, done.out + done.err
    execute(url, "CREATE TABLE mark (a integer)", "INSERT INTO mark VALUES (1)")
    found = Installed(here, url, next_program)
    yield found
    for end in (*found.names(), ""):
        execute(admin, f'DROP DATABASE IF EXISTS "{name}{end}" WITH (FORCE)')
    execute(admin, f"DROP ROLE {name}")


def test_a_release_whose_api_dies_leaves_the_database_as_it_was(installed: Installed) -> None:
    """After its migration has made new tables. It is noticed at once: nobody waits for the health check's end."""
    old = installed.machine.version()
    done = installed.upgrade(WORKS.replace("exec ", DEAD), "--health-seconds", 100_000)
    assert done.code == 1
    assert "the API has a bug" in done.err
    assert "the API has ended" in done.err
    assert (
        done.at("peakedex db upgrade")
        < done.at("peakedex serve")
        < done.at("systemctl restart peakedex-indexer")
    )
    assert installed.machine.version() == old
    assert installed.content() == ("0002", 1)
    assert installed.names() == set()


def test_rollback_exchanges_the_databases_and_keeps_both(installed: Installed) -> None:
    here = installed.machine
    old = here.version()
    done = installed.upgrade(WORKS)
    assert done.code == 0, done.out + done.err
    new = here.version()
    assert installed.content() == ("0003", 2)
    assert installed.names() == {f"_{old}"}
    with pytest.raises(StoreError, match="is newer than this program"):
        open_reader(installed.url)
    execute(installed.url, "INSERT INTO mark VALUES (3)")
    refused = here.run("rollback", "--systemd", script="deploy.sh")
    assert refused.code == 2
    assert "use --restore-database" in refused.err
    with psycopg.connect(installed.url):  # somebody looks at the database
        done = here.run("rollback", "--restore-database", "--systemd", script="deploy.sh")
    assert done.code == 0, done.out + done.err
    assert here.version() == old
    assert installed.content() == ("0002", 1)
    open_reader(installed.url).dispose()
    assert installed.names() == {f"_{new}"}
    done = here.run("rollback", "--restore-database", "--systemd", script="deploy.sh")
    assert done.code == 0, done.out + done.err
    assert here.version() == new
    assert installed.content() == ("0003", 3)


def test_a_version_that_falls_sick_after_the_switch_is_taken_back_with_its_database(
    installed: Installed,
) -> None:
    here = installed.machine
    old = here.version()
    (here.checkout / "alembic/versions/0003.py").write_text(REVISION)
    here.program(WORKS.replace("@PEAKEDEX@", installed.next_program))
    dry = here.run("--name", NAME, "--dry-run", script="deploy.sh")
    new = dry.out.split(f"would switch from {old} to ")[1].split()[0]
    here.sick.add(new)
    (here.root / "failing").write_text(new)
    done = installed.upgrade(WORKS, "--health-seconds", 100_000)  # noticed at once, by systemd's state
    assert done.code == 1
    assert "the API has ended" in done.err
    assert "returns to the database of version" in done.out
    assert here.version() == old
    assert installed.content() == ("0002", 1)


def test_a_copy_that_is_killed_leaves_the_old_version_running(installed: Installed) -> None:
    old = installed.machine.version()
    installed.wrap("pg_restore", "head -c 1000 >/dev/null; kill -9 $$")
    done = installed.upgrade(WORKS)
    installed.unwrap("pg_restore")
    assert done.code == 2
    assert f"the database cannot be copied: version {old} continues" in done.err
    assert done.at("systemctl restart peakedex-indexer peakedex-api") > done.at("systemctl stop")
    assert not [line for line in done.did if line.startswith("systemctl stop") and "peakedex-api" in line]
    assert installed.machine.version() == old
    assert installed.content() == ("0002", 1)
    assert installed.names() == set()


def test_a_script_that_is_killed_while_it_copies_can_be_run_again(installed: Installed) -> None:
    """The old database is in place meanwhile, and its API goes on."""
    here = installed.machine
    old = here.version()
    flag, waits = here.folder / "flag", here.folder / "waits"
    waits.touch()
    waits.chmod(0o666)
    flag.touch()
    installed.wrap("pg_restore", f"echo waits > {waits}; while [ -e {flag} ]; do sleep 0.1; done; kill -9 $$")
    (here.checkout / "alembic/versions/0003.py").write_text(REVISION)
    here.program(WORKS.replace("@PEAKEDEX@", installed.next_program))
    process = subprocess.Popen(
        here.command("--name", NAME, script="deploy.sh"),
        env=here.environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: waits.read_text() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    flag.unlink()
    installed.unwrap("pg_restore")
    assert here.version() == old
    assert installed.content() == ("0002", 1)
    open_reader(installed.url).dispose()
    done = installed.upgrade(WORKS)
    assert done.code == 0, done.out + done.err
    assert installed.content() == ("0003", 2)


def test_a_role_that_may_not_create_databases_is_told_before_anything_stops(installed: Installed) -> None:
    role = conninfo_to_dict(installed.url)["user"]
    execute(server().url("postgres"), f"ALTER ROLE {role} NOCREATEDB")
    done = installed.upgrade(WORKS)
    assert done.code == 2
    assert "must have CREATEDB" in done.err
    assert not [line for line in done.did if line.startswith("systemctl stop")]
    assert installed.content() == ("0002", 1)
