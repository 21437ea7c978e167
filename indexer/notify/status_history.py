"""The status page's data: the state now, the last 90 days and their incidents, as one JSON file.

Time in which this process did not look is in no sum: it is shown as unknown, neither as up nor as down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from indexer.notify.alarms import Observation
from indexer.notify.message import clean
from indexer.notify.state import StateError, replace_file

Condition = Literal["ok", "degraded", "down"]

DAYS: Final = 90
MAX_INCIDENTS: Final = 500
INCIDENT_SECONDS: Final = 60
"""A shorter one is counted in its day, but is no incident."""
WRITE_SECONDS: Final = 30.0
_MAX_TEXT: Final = 300


class Day(Struct):
    """Seconds in each condition on a day (UTC)."""

    date: str
    ok: int = 0
    degraded: int = 0
    down: int = 0


class Incident(Struct):
    """`until` is null while it lasts. Times are ISO 8601, UTC."""

    condition: Condition
    since: str
    until: str | None
    text: str


class Current(Struct):
    condition: Condition
    since: str
    text: str | None  # what is wrong


class StatusPage(Struct):
    """The file."""

    version: int = 1
    updated: str | None = None
    every_seconds: int = 0  # between two looks
    now: Current | None = None
    days: list[Day] = field(default_factory=list)  # oldest first
    incidents: list[Incident] = field(default_factory=list)  # newest first


class StatusHistory:
    """Appends what is observed to the file. Used by one thread."""

    def __init__(
        self,
        path: Path,
        every_seconds: int,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        """Raises StateError, if the file is there and cannot be read, or cannot be written."""
        self._path = path
        self._clock = clock
        self._monotonic = monotonic
        self._write_seconds = write_seconds
        self._seen_at: float | None = None
        self._written_at = float("-inf")
        try:
            self._page = msgspec.json.decode(path.read_bytes(), type=StatusPage)
        except FileNotFoundError:
            self._page = StatusPage()
        except (OSError, msgspec.MsgspecError) as error:
            raise StateError(f"{path}: not a status file ({error}): restore it, or move it away") from None
        self._page.every_seconds = every_seconds
        try:
            self._write()
        except OSError as error:
            raise StateError(
                f"{path}: {error.strerror}: name a file in a folder that can be written"
            ) from None

    def add(self, seen: Observation) -> None:
        """Count the time since the last look, and write the file when it is due. Raises OSError."""
        condition, text = judge_condition(seen)
        page, moment = self._page, datetime.fromtimestamp(self._clock(), UTC)
        now = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        before = page.now
        is_change = before is None or before.condition != condition
        self._count(condition, moment)
        if is_change:
            self._end_incident(now)
            page.now = Current(condition, now, text)
            if condition != "ok":
                page.incidents.insert(0, Incident(condition, now, None, text or ""))
        else:
            assert before is not None
            before.text = text
            if condition != "ok" and page.incidents and page.incidents[0].until is None:
                page.incidents[0].text = text or ""
        page.updated = now
        self._forget(moment)
        if is_change or self._monotonic() - self._written_at >= self._write_seconds:
            self._write()

    def _count(self, condition: Condition, moment: datetime) -> None:
        """Add the time since the last look to the day; none after a pause."""
        seen_at, self._seen_at = self._seen_at, self._monotonic()
        if seen_at is None:
            return
        seconds = round(self._seen_at - seen_at)
        if seconds > 3 * self._page.every_seconds + 60:
            return
        self._seen_at = seen_at + seconds  # what was rounded away is counted at the next look
        date = f"{moment:%Y-%m-%d}"
        if not self._page.days or self._page.days[-1].date != date:
            self._page.days.append(Day(date))
        day = self._page.days[-1]
        setattr(day, condition, getattr(day, condition) + seconds)

    def _end_incident(self, now: str) -> None:
        incidents = self._page.incidents
        if not incidents or incidents[0].until is not None:
            return
        lasted = datetime.fromisoformat(now) - datetime.fromisoformat(incidents[0].since)
        if lasted < timedelta(seconds=INCIDENT_SECONDS):
            incidents.pop(0)
        else:
            incidents[0].until = now

    def _forget(self, moment: datetime) -> None:
        """Drop what is older than the page shows."""
        first = f"{moment - timedelta(days=DAYS - 1):%Y-%m-%d}"
        self._page.days = [day for day in self._page.days if day.date >= first]
        kept = [each for each in self._page.incidents if each.until is None or each.until >= first]
        self._page.incidents = kept[:MAX_INCIDENTS]

    def _write(self) -> None:
        self._written_at = self._monotonic()
        replace_file(self._path, msgspec.json.encode(self._page), 0o644)  # a web server reads it


def judge_condition(seen: Observation) -> tuple[Condition, str | None]:
    """The exchange's condition and a sentence about what is wrong.

    Down: the API does not answer, or has no database. Degraded: it is behind, or has an alarm.
    """
    if seen.health is None:
        return "down", "The API does not answer."
    if seen.health.database != "ok":
        return "down", clean(seen.health.database, _MAX_TEXT)
    problems = [*([] if seen.health.warning is None else [seen.health.warning]), *seen.health.alarms]
    return ("degraded", clean(" ".join(problems), _MAX_TEXT)) if problems else ("ok", None)
