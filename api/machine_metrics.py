"""Metrics of the machine: free disk space, and the age of the newest backup. They need no database."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric

from api.settings import ApiSettings
from settlement.store.database import is_sqlite, parse_url

_STATUS_BYTES: Final = 4096


class BackupStatus(NamedTuple):
    """Times of the newest backups, in seconds since 1970; None: never."""

    succeeded: int | None
    failed: int | None


def machine_metrics(settings: ApiSettings) -> Iterator[Metric]:
    """Free space of the disks, and the state of backups."""
    yield from _disks(settings)
    if settings.backup_status is not None:
        yield from _backups(read_backup_status(settings.backup_status), settings.clock())


def _disks(settings: ApiSettings) -> Iterator[Metric]:
    free = GaugeMetricFamily("peakedex_disk_free_bytes", "Free space of a folder's disk.", labels=("folder",))
    size = GaugeMetricFamily("peakedex_disk_size_bytes", "Size of a folder's disk.", labels=("folder",))
    for folder in settings.disk_folders or _database_folder(settings.database_url):
        try:
            disk = shutil.disk_usage(folder)
        except OSError:
            continue
        free.add_metric([str(folder)], disk.free)
        size.add_metric([str(folder)], disk.total)
    yield from (free, size)


def _database_folder(url: str) -> tuple[Path, ...]:
    parsed = parse_url(url)
    return (Path(parsed.database).absolute().parent,) if is_sqlite(parsed) and parsed.database else ()


def _backups(status: BackupStatus | None, now: float) -> Iterator[Metric]:
    """An unreadable status is a failure."""
    succeeded = None if status is None else status.succeeded
    failed = status is None or (status.failed is not None and status.failed >= (succeeded or 0))
    age = inf if succeeded is None else max(0.0, now - succeeded)
    yield GaugeMetricFamily(
        "peakedex_backup_age_seconds", "Age of the newest backup; +Inf before the first.", age
    )
    yield GaugeMetricFamily("peakedex_backup_failed", "1 while the newest backup has failed.", failed)


def read_backup_status(path: Path) -> BackupStatus | None:
    """The status file; None if it cannot be read. Another user writes it: no links, no pipes, few bytes."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return BackupStatus(None, None)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        values = json.loads(os.read(file, _STATUS_BYTES))
        times = [values.get("succeeded"), values.get("failed")]
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    finally:
        os.close(file)
    if not all(time is None or (type(time) is int and 0 <= time < 1 << 40) for time in times):
        return None
    return BackupStatus(*times)
