"""The status file of backups, written by `peakedex backup`, in /metrics; and the disks there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from api.machine_metrics import machine_metrics
from api.settings import ApiSettings
from tests.system.cli.command import FAILED, OK, peakedex


def metrics(
    database: Path, status: Path | None, *, later: float = 0, folders: tuple[Path, ...] = ()
) -> dict[str, float]:
    """The machine's metrics by name and folder; the clock is this many seconds after the status file's time."""
    written = int(status.stat().st_mtime) if status and status.is_file() and not status.is_symlink() else 0
    settings = ApiSettings(
        database_url=str(database),
        backup_status=status,
        disk_folders=folders,
        clock=lambda: written + later,
    )
    return {
        f"{sample.name}{''.join(sample.labels.values())}": sample.value
        for metric in machine_metrics(settings)
        for sample in metric.samples
    }


def test_a_backup_that_fails_and_one_that_succeeds(database: Path, here: Path) -> None:
    status = here / "backup.json"
    assert metrics(database, status)["peakedex_backup_age_seconds"] == float("inf")
    assert metrics(database, status)["peakedex_backup_failed"] == 0
    words = ("backup", "--db", database, "--backup-status", status)
    (here / "backups").mkdir()
    assert peakedex(*words, "--to", here / "backups").code == OK
    found = metrics(database, status, later=7200)
    assert 7199 <= found["peakedex_backup_age_seconds"] <= 7200 + 60
    assert found["peakedex_backup_failed"] == 0
    assert peakedex(*words, "--to", here / "unmounted").code == FAILED
    found = metrics(database, status, later=7200)
    assert found["peakedex_backup_failed"] == 1
    assert found["peakedex_backup_age_seconds"] >= 7199  # of the one that succeeded
    assert [path.name for path in here.iterdir() if path.name.startswith(".backup")] == []


def test_the_storage_comes_from_the_environment_too(database: Path, here: Path) -> None:
    (here / "backups").mkdir()
    variable = {"PEAKEDEX_BACKUP_TO": str(here / "backups")}
    made = peakedex("backup", "--db", database, "--json", **variable)
    assert made.code == OK, made.err
    listed = peakedex("backup", "list", **variable)
    assert listed.out.startswith(made.json["name"])


def test_a_status_that_cannot_be_written_fails_no_backup(database: Path, here: Path) -> None:
    (here / "backups").mkdir()
    words = (
        "backup",
        "--db",
        database,
        "--to",
        here / "backups",
        "--backup-status",
        here / "none/backup.json",
    )
    run = peakedex(*words)
    assert run.code == OK, run.err
    assert "backup-status: " in run.err


@pytest.mark.parametrize(
    "content", ["nonsense", "[]", '{"succeeded": true}', '{"succeeded": "1"}', "[" * 4000]
)
def test_a_damaged_status_is_a_failure(database: Path, here: Path, content: str) -> None:
    status = here / "backup.json"
    status.write_text(content)
    found = metrics(database, status)
    assert found["peakedex_backup_failed"] == 1
    assert found["peakedex_backup_age_seconds"] == float("inf")


def test_a_link_and_a_pipe_are_not_read(database: Path, here: Path) -> None:
    """The user who makes backups could name any file that the API may read, or make it wait for ever."""
    (here / "other.json").write_text('{"succeeded": 1}')
    (here / "link").symlink_to(here / "other.json")
    os.mkfifo(here / "pipe")
    for name in ("link", "pipe"):
        assert metrics(database, here / name)["peakedex_backup_failed"] == 1


def test_the_disks_are_those_of_the_database_or_of_the_settings(database: Path, here: Path) -> None:
    found = metrics(database, None)
    size = shutil.disk_usage(here).total
    assert found[f"peakedex_disk_size_bytes{here}"] == size
    assert 0 < found[f"peakedex_disk_free_bytes{here}"] <= size
    assert "peakedex_backup_failed" not in found
    found = metrics(database, None, folders=(Path("/proc"), here / "missing"))
    assert set(found) == {"peakedex_disk_size_bytes/proc", "peakedex_disk_free_bytes/proc"}
