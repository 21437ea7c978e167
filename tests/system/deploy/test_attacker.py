"""Deploy scripts run as root on a machine whose services are compromised: planted links reach nothing of root's.

The attacker has the user ID of a service, and writes wherever that user can. The keys in payouts.env must never
become readable for it, and no file outside the services' folders may change.
"""

from __future__ import annotations

import os
import pty
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.system.deploy.server import IS_ROOT, MUTE, WORKS, Done, Machine, machine

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root, to act as other users")

SECRET: Final = "PEK_SWAP_HIVE_KEY=5JsecretOfTheEscrow\n"
SERVICES: Final = ("peakedex-indexer", "peakedex-payouts")


class Outside(NamedTuple):
    """State of a file outside the services' folders."""

    user: int
    mode: int
    content: bytes  # empty for links and folders


@pytest.fixture(scope="module")
def server() -> Iterator[Machine]:
    """A machine with keys and two versions, the second with another schema. The tests share it."""
    with machine() as found:
        assert found.install().code == 0
        found.change(tables=True)
        assert found.install().code == 0
        (found.root / "etc/peakedex/payouts.env").write_text(SECRET)
        (found.root / "etc/empty").touch(mode=0o600)
        yield found


def data(server: Machine) -> Path:
    return server.database.parent


def outside(server: Machine) -> dict[str, Outside]:
    """Every file in /etc, and the folders in /var."""
    found = {}
    for path in (*(server.root / "etc").rglob("*"), *(server.root / "var").glob("*/*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(server.root))] = Outside(status.st_uid, status.st_mode, content)
    return found


def assert_nothing_leaked(server: Machine, before: dict[str, Outside]) -> None:
    assert outside(server) == before
    key_file = server.root / "etc/peakedex/payouts.env"
    for path in server.root.rglob("*"):
        if not path.is_symlink() and path.is_file() and not path.samefile(key_file):
            assert SECRET.encode() not in path.read_bytes(), path


def remove(server: Machine) -> None:
    """Remove everything that the attacker, or SQLite, has left in the data folder."""
    for path in data(server).iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def attacker(server: Machine, user: str, attack: Callable[[], object]) -> Iterator[int]:
    """Run a function as a service's user until the end; it is killed if it has not returned. Yields its process."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(data(server).stat().st_gid)
        os.setuid(server.uid(user))
        attack()
        os._exit(0)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def stopped(process: int) -> Iterator[None]:
    """Stop a child process meanwhile, so that it does not put a link where the test itself, as root, is reading."""
    os.kill(process, signal.SIGSTOP)
    os.waitpid(process, os.WUNTRACED)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def plant(server: Machine, user: str, attack: Callable[[], object]) -> None:
    """Run a function as a service's user, and wait for its end."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(data(server).stat().st_gid)
        os.setuid(server.uid(user))
        try:
            attack()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def upgrade(server: Machine, **options: object) -> Done:
    """Upgrade to a version with another schema whose API fails: the database is copied, migrated and restored."""
    migration = server.checkout / "alembic/versions/0002.py"
    saved = migration.read_text()
    server.change(tables=True)
    server.program(MUTE)
    done = server.install(**options)
    server.program(WORKS)
    migration.write_text(saved)
    return done


NAMES: Final = ("", "-wal", "-shm", "-journal", ".new")
"""Files in the data folder that SQLite or the scripts create, after `peakedex.db`."""


@pytest.mark.parametrize("target", ["payouts.env", "../empty", "new"])
@pytest.mark.parametrize("names", [NAMES[:1], NAMES[1:]], ids=["database", "beside"])
def test_planted_links_are_not_followed(server: Machine, names: tuple[str, ...], target: str) -> None:
    """By an installation, by the copy of an upgrade and its restore."""
    if names == NAMES[:1]:
        remove(server)
    elif not server.database.exists():
        assert server.install().code == 0

    def links() -> None:
        for name in (*names, "/../copy.db"):
            path = Path(f"{server.database}{name}") if not name.startswith("/") else data(server) / "copy.db"
            path.unlink(missing_ok=True)
            path.symlink_to(server.root / "etc/peakedex" / target)

    before = outside(server)
    plant(server, "peakedex-indexer", links)
    done = server.install()
    if names == NAMES[:1]:
        assert done.code == 2
        assert "is not a regular file of the user peakedex-indexer" in done.err
    assert_nothing_leaked(server, before)
    upgrade(server)
    assert_nothing_leaked(server, before)
    remove(server)


def test_a_hard_link_to_another_user_s_file_is_refused(server: Machine) -> None:
    """Linux refuses to create one (fs.protected_hardlinks); on a machine without that, root creates it here."""
    remove(server)
    os.link(server.root / "etc/peakedex/payouts.env", server.database)
    before = outside(server)
    done = server.install()
    assert done.code == 2
    assert "is not a regular file of the user peakedex-indexer" in done.err
    assert outside(server) == before
    remove(server)


def test_a_folder_in_place_of_a_file_stops_the_script(server: Machine) -> None:
    remove(server)
    plant(server, "peakedex-indexer", server.database.mkdir)
    before = outside(server)
    done = server.install()
    assert done.code == 2
    assert "is not a regular file of the user peakedex-indexer" in done.err
    assert_nothing_leaked(server, before)
    remove(server)


@pytest.mark.parametrize("folder", ["var/lib/peakedex", "var/log/peakedex", "var/lib/peakedex-acme"])
def test_a_folder_that_is_a_link_or_another_user_s_is_refused(folder: str) -> None:
    with machine() as server:
        path = server.root / folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(server.root / "etc")
        done = server.install()
        assert done.code == 2
        assert f"{path} is a symbolic link" in done.err
        path.unlink()
        path.mkdir()
        os.chown(path, 42_017, 42_017)
        done = server.install()
        assert done.code == 2
        assert f"{path} belongs to user 42017" in done.err
        assert path.stat().st_uid == 42_017


@pytest.mark.parametrize("user", SERVICES)
def test_links_planted_while_the_script_runs_are_not_followed(server: Machine, user: str) -> None:
    """A process replaces the files of the data folder by links all the time; the script may fail."""
    remove(server)
    assert server.install().code == 0
    targets = [server.root / "etc/peakedex/payouts.env", server.root / "etc/empty", server.root / "etc/new"]
    folder = data(server)

    def replace_files_by_links() -> None:
        number = 0
        while True:
            number += 1
            names = {"copy.db", *(f"peakedex.db{name}" for name in NAMES), *os.listdir(folder)}
            for name in names:
                path = folder / name
                try:
                    if path.is_dir() and not path.is_symlink():  # the folder of a copy, if it may be entered
                        path = path / "copy.db"
                    if number % 3 == 0:
                        path.unlink()
                    elif number % 50 == 1 or not name.endswith("peakedex.db"):
                        (folder / "link").symlink_to(targets[number % len(targets)])
                        (folder / "link").replace(path)
                except OSError:
                    continue

    before = outside(server)
    steps: list[Callable[[], object]] = [server.install, lambda: upgrade(server)] * 2
    steps.append(lambda: server.run("rollback", "--restore-database"))
    with attacker(server, user, replace_files_by_links) as process:
        for step in steps:
            step()
            with stopped(process):
                assert_nothing_leaked(server, before)
    remove(server)


def test_modules_in_the_working_folder_are_not_imported(server: Machine) -> None:
    """Root may run the script from the services' folder."""
    for module in ("json", "socket", "venv", "pip", "sqlite3"):
        (data(server) / f"{module}.py").write_text(f"open('{server.root}/etc/imported', 'w')\n")
    before = outside(server)
    upgrade(server, cwd=data(server))
    assert_nothing_leaked(server, before)
    remove(server)


SPIES: Final = WORKS.replace(
    "exec ",
    """(id -u; env) >> "@LOG@"
echo "terminal $(cut -d' ' -f7 /proc/self/stat)" >> "@LOG@"
exec """,
)
"""A program that records its user, its environment and its terminal."""


def test_programs_of_the_services_get_neither_root_s_environment_nor_its_terminal(server: Machine) -> None:
    remove(server)
    server.program(SPIES)
    server.change()
    key = SECRET.split("=")[1].strip()
    ours, terminal = pty.openpty()
    done = server.install(environment={"PEK_SWAP_HIVE_KEY": key}, terminal=terminal)
    os.close(terminal)
    os.close(ours)
    assert done.code == 0, done.err
    assert str(server.uid("peakedex-indexer")) in done.did
    assert str(server.uid("peakedex-api")) in done.did
    assert "0" not in done.did
    assert not [line for line in done.did if key in line]
    assert {line for line in done.did if line.startswith("terminal ")} == {"terminal 0"}
    server.program(WORKS)
