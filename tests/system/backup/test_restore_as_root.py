"""`peakedex restore` as root into a service's folder, in which the service has placed links."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from settlement.store.database import open_reader
from tests.support.shared_python import write_program
from tests.system.cli.command import FAILED, MISUSED, OK, clean_environment, peakedex

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to act as other users")

SERVICE: Final = 42_017
GROUP: Final = 42_018
SECRET: Final = b"PEK_SWAP_HIVE_KEY=5Jsecret\n"


@dataclass(frozen=True)
class Place:
    """A service's data folder, and a folder of root's files outside it."""

    data: Path
    outside: Path
    program: Path

    @property
    def database(self) -> Path:
        return self.data / "peakedex.db"

    @property
    def key_file(self) -> Path:
        return self.outside / "payouts.env"

    def restore(self, backups: Path, before: str = ":") -> subprocess.CompletedProcess[str]:
        """Restore as root; `before` is a shell command of the same process ID, `$$`."""
        words = 'restore --from "$2" --db "$3" --ignore-checkpoint'
        return subprocess.run(
            ["sh", "-c", f'{before}; exec "$1" {words}', "sh", self.program, backups, self.database],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def assert_nothing_leaked(self) -> None:
        """Root's files are unchanged, and no file of the service has their content."""
        found = {path.name: (path.read_bytes(), path.stat()) for path in self.outside.iterdir()}
        assert {name: content for name, (content, _) in found.items()} == {
            "payouts.env": SECRET,
            "empty": b"",
        }
        for _, status in found.values():
            assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o600)
        for path in self.data.rglob("*"):
            assert SECRET not in self._own_content(path), path

    def _own_content(self, path: Path) -> bytes:
        """The content of a file of the service; nothing of links, folders, and what is replaced meanwhile."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or os.path.samestat(status, self.key_file.stat()):
                return b""
            return os.pread(descriptor, status.st_size, 0)
        finally:
            os.close(descriptor)

    def assert_restored(self, mode: int) -> None:
        status = self.database.lstat()
        assert (status.st_uid, status.st_gid) == (SERVICE, GROUP)
        assert oct(status.st_mode) == oct(stat.S_IFREG | mode)
        open_reader(str(self.database)).dispose()


@pytest.fixture(scope="module")
def backups(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup storage with one backup."""
    folder = tmp_path_factory.mktemp("backups")
    assert peakedex("backup", "--db", made / "peakedex.db", "--to", folder).code == 0
    return folder


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="peakedex-restore-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data, outside = folder / "data", folder / "outside"
        data.mkdir()
        os.chown(data, SERVICE, GROUP)
        data.chmod(0o2770)
        outside.mkdir()
        for file, content in (("payouts.env", SECRET), ("empty", b"")):
            (outside / file).write_bytes(content)
            (outside / file).chmod(0o600)
        yield Place(data, outside, write_program(folder / "peakedex"))


def service_database(place: Place, mode: int = 0o660) -> None:
    place.database.touch()
    os.chown(place.database, SERVICE, GROUP)
    place.database.chmod(mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_it_keeps_owner_and_mode(place: Place, backups: Path, made: Path, mode: int) -> None:
    shutil.copy(made / "peakedex.db", place.database)
    service_database(place, mode)
    done = place.restore(backups)
    assert done.returncode == 0, done.stderr
    place.assert_restored(mode)
    assert any(".before-" in path.name for path in place.data.iterdir())
    assert {path.stat().st_uid for path in place.data.iterdir()} == {SERVICE}


def test_without_an_old_file_it_follows_the_folder_s_mode(place: Place, backups: Path) -> None:
    done = place.restore(backups)
    assert done.returncode == 0, done.stderr
    place.assert_restored(0o660)


def link_the_database(place: Place) -> None:
    place.database.symlink_to(place.key_file)


def link_the_database_to_an_empty_file(place: Place) -> None:
    place.database.symlink_to(place.outside / "empty")


def link_the_database_to_a_new_file(place: Place) -> None:
    place.database.symlink_to(place.outside / "new")


def hard_link_the_database(place: Place) -> None:
    os.link(place.outside / "empty", place.database)


def make_the_database_a_folder(place: Place) -> None:
    place.database.mkdir()
    os.chown(place.database, SERVICE, GROUP)


def link_the_folder(place: Place) -> None:
    """The service owns the folder above, too, and replaces the data folder by a link to root's folder."""
    above = place.data / "above"
    above.mkdir()
    os.lchown(above, SERVICE, GROUP)
    (above / "data").symlink_to(place.outside)


REFUSED: Final[tuple[Callable[[Place], None], ...]] = (
    link_the_database,
    link_the_database_to_an_empty_file,
    link_the_database_to_a_new_file,
    hard_link_the_database,
    make_the_database_a_folder,
)


@pytest.mark.parametrize("attack", REFUSED)
def test_a_database_that_is_no_file_of_the_service_is_refused(
    place: Place, backups: Path, attack: Callable[[Place], None]
) -> None:
    attack(place)
    done = place.restore(backups)
    assert done.returncode == MISUSED, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    place.assert_nothing_leaked()


def test_a_folder_that_the_service_replaced_by_a_link_is_refused(place: Place, backups: Path) -> None:
    link_the_folder(place)
    linked = Place(place.data / "above" / "data", place.outside, place.program)
    done = linked.restore(backups)
    assert done.returncode == MISUSED, done.stdout
    assert "other users can replace" in done.stderr
    place.assert_nothing_leaked()


@pytest.mark.parametrize("target", ["payouts.env", "empty"])
@pytest.mark.parametrize("name", ["", ".restoring-$$"])
def test_links_beside_the_database_are_not_followed(
    place: Place, backups: Path, name: str, target: str
) -> None:
    """Links at the names of SQLite's files, and at the temporary names of the restore, which have its process ID."""
    suffixes = ("-wal", "-shm", "-journal") if name == "" else ("",)
    outside = place.outside / target
    links = "; ".join(f'ln -s "{outside}" "{place.database}{name}{suffix}"' for suffix in suffixes)
    service_database(place)
    done = place.restore(backups, before=links)
    assert done.returncode in (OK, FAILED, MISUSED), done.stderr
    place.assert_nothing_leaked()


def test_a_service_that_places_links_during_the_restore_gains_nothing(place: Place, backups: Path) -> None:
    """A process of the service replaces files by links in a loop. The restore succeeds or fails, and root's files stay."""
    shutil.chown(place.data, SERVICE, GROUP)
    attacker = os.fork()
    if attacker == 0:
        _replace_files_by_links(place)
    try:
        for _ in range(5):
            done = place.restore(backups)
            assert done.returncode in (OK, FAILED, MISUSED), done.stderr
            place.assert_nothing_leaked()
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)


def _replace_files_by_links(place: Place) -> None:
    """Never returns."""
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(SERVICE)
    number = 0
    while True:
        number += 1
        target = place.outside / ("payouts.env", "empty", "new")[number % 3]
        for name in {"peakedex.db", "peakedex.db-wal", *(path.name for path in place.data.iterdir())}:
            try:
                (place.data / "link").symlink_to(target)
                (place.data / "link").replace(place.data / name)
                if number % 2:
                    (place.data / name).unlink()
            except OSError:
                continue
