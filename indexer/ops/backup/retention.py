"""What backups are called, and which of them are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

SNAPSHOT: Final = ".snapshot"
MANIFEST: Final = ".json"
PART: Final = ".part"
"""Ending of what is not all there yet. A backup is one when its manifest has its name."""
VENUE_DIGITS: Final = 16
_LEFT_OVER: Final = timedelta(days=1)
_TIME: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(
    r"peakedex-(?P<venue>[0-9a-f]{16})-(?P<time>\d{8}T\d{6}Z)-(?P<block>\d{1,19})"
    r"(?P<ending>\.(?:snapshot|json)(?:\.part)?)"
)


class Backup(NamedTuple):
    """A backup by its name: the first digits of the venue's hash, when it was made, and its block."""

    venue: str
    made: datetime
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
    """The backup that a file belongs to, and the file's ending; None for a file that is none of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        made = datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Backup(match["venue"], made, int(match["block"])), match["ending"]


def complete(names: Iterable[str]) -> list[Backup]:
    """The backups whose files are all there, newest first."""
    endings: dict[Backup, set[str]] = {}
    for known in filter(None, map(read_name, names)):
        endings.setdefault(known[0], set()).add(known[1])
    whole = [backup for backup, found in endings.items() if found >= {SNAPSHOT, MANIFEST}]
    return sorted(whole, key=lambda backup: (backup.made, backup.block), reverse=True)


def expired(backups: Sequence[Backup], daily: int, rolling: int) -> list[Backup]:
    """Those of a venue's backups that need not be kept.

    Kept are the newest `rolling` of all, and the newest of each of the last `daily` UTC days on which any was
    made. Only the backups' own times count, so that neither a wrong clock nor a pause deletes any.
    """
    newest_first = sorted(backups, key=lambda backup: (backup.made, backup.block), reverse=True)
    last_of_day: dict[object, Backup] = {}
    for backup in newest_first:
        last_of_day.setdefault(backup.made.date(), backup)
    kept = {*newest_first[:rolling], *list(last_of_day.values())[:daily]}
    return [backup for backup in newest_first if backup not in kept]


def left_over(names: Iterable[str], venue: str, now: datetime) -> list[str]:
    """Files of the venue's backups that never became whole, and by now never will."""
    names = list(names)
    whole = {name for backup in complete(names) for name in (backup.snapshot, backup.manifest)}
    found = []
    for name in sorted(set(names) - whole):
        known = read_name(name)
        if known and known[0].venue == venue and now - known[0].made > _LEFT_OVER:
            found.append(name)
    return found
