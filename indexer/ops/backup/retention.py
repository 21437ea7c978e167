"""Names of backups, and the retention policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

SNAPSHOT: Final = ".snapshot"
MANIFEST: Final = ".json"
PART: Final = ".part"
"""Suffix of incomplete uploads. A backup exists when its manifest has its final name."""
VENUE_DIGITS: Final = 16
_STALE_AFTER: Final = timedelta(days=1)
_TIME: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(
    r"peakedex-(?P<venue>[0-9a-f]{16})-(?P<time>\d{8}T\d{6}Z)-(?P<block>\d{1,19})"
    r"(?P<suffix>\.(?:snapshot|json)(?:\.part)?)"
)


class Backup(NamedTuple):
    """A backup, identified by its name."""

    venue: str  # the first VENUE_DIGITS digits of the venue hash
    made: datetime  # UTC, whole seconds
    block: int

    @property
    def name(self) -> str:
        return f"peakedex-{self.venue}-{self.made:{_TIME}}-{self.block}"

    @property
    def snapshot(self) -> str:
        return self.name + SNAPSHOT

    @property
    def manifest(self) -> str:
        return self.name + MANIFEST


def read_name(name: str) -> tuple[Backup, str] | None:
    """The backup that a file belongs to, and the file's suffix; None for any other file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        made = datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Backup(match["venue"], made, int(match["block"])), match["suffix"]


def complete(names: Iterable[str]) -> list[Backup]:
    """The complete backups, newest first."""
    suffixes_of: dict[Backup, set[str]] = {}
    for known in filter(None, map(read_name, names)):
        suffixes_of.setdefault(known[0], set()).add(known[1])
    whole = [backup for backup, found in suffixes_of.items() if found >= {SNAPSHOT, MANIFEST}]
    return sorted(whole, key=lambda backup: (backup.made, backup.block), reverse=True)


def expired(backups: Sequence[Backup], daily: int, rolling: int) -> list[Backup]:
    """The backups of a venue that the retention policy deletes.

    It keeps the newest `rolling` backups, and the newest one of each of the last `daily` UTC days with a
    backup. It does not depend on the current time, so a wrong clock or a pause deletes nothing.
    """
    newest_first = sorted(backups, key=lambda backup: (backup.made, backup.block), reverse=True)
    last_of_day: dict[object, Backup] = {}
    for backup in newest_first:
        last_of_day.setdefault(backup.made.date(), backup)
    kept = {*newest_first[:rolling], *list(last_of_day.values())[:daily]}
    return [backup for backup in newest_first if backup not in kept]


def stale_files(names: Iterable[str], venue: str, now: datetime) -> list[str]:
    """Files of the venue's incomplete backups that are older than a day."""
    names = list(names)
    whole = {name for backup in complete(names) for name in (backup.snapshot, backup.manifest)}
    found = []
    for name in sorted(set(names) - whole):
        known = read_name(name)
        if known and known[0].venue == venue and now - known[0].made > _STALE_AFTER:
            found.append(name)
    return found
