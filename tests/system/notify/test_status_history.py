"""The status page's file: what was seen is counted, and what was not is neither up nor down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from indexer.notify.alarms import Health, Observation
from indexer.notify.status_history import DAYS, StatusHistory

MIDNIGHT = 1_790_035_200  # 2026-09-22T00:00:00Z


class Watch:
    """A history with a clock of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = float(MIDNIGHT - 3600)
        self.history = self.open()

    def open(self) -> StatusHistory:
        self.history = StatusHistory(self.path, 15, lambda: self.now, lambda: self.now, 0)
        return self.history

    def see(self, condition: str, seconds: float, every: float = 15) -> None:
        """Look every so often for a while."""
        health = Health(
            "2026-09-21T14:13:53Z", "ok", "Behind." if condition == "degraded" else None, [], None
        )
        down = Observation(None, "no answer", {}, frozenset())
        end = self.now + seconds
        while self.now < end:
            self.now += every
            self.history.add(down if condition == "down" else Observation(health, None, {}, frozenset()))

    @property
    def page(self) -> Any:
        return json.loads(self.path.read_text())


def test_days_count_what_was_seen_and_incidents_have_their_times(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "status.json")
    watch.see("ok", 1800)
    watch.see("down", 600)
    watch.see("ok", 600)
    watch.see("degraded", 30)  # too short for an incident
    watch.see("ok", 570 + 600)
    first, second = watch.page["days"]
    assert first["date"] == "2026-09-21"
    # Nothing is known before the first look; the look at midnight counts to the day that begins.
    assert (first["ok"], first["down"], first["degraded"]) == (3600 - 15 - 15 - 630, 600, 30)
    assert (second["ok"], second["down"], second["degraded"]) == (15 + 600, 0, 0)
    [incident] = watch.page["incidents"]
    assert (incident["condition"], incident["text"]) == ("down", "The API does not answer.")
    assert (incident["since"], incident["until"]) == ("2026-09-21T23:30:15Z", "2026-09-21T23:40:15Z")
    assert watch.page["now"]["condition"] == "ok"
    assert watch.path.stat().st_mode & 0o777 == 0o644


def test_time_without_a_look_is_in_no_sum_and_an_outage_goes_on_through_a_restart(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "status.json")
    watch.see("down", 300)
    watch.now += 1200
    watch.open()
    watch.see("down", 300)
    [incident] = watch.page["incidents"]
    assert incident["until"] is None
    assert sum(day["down"] for day in watch.page["days"]) == 300 - 15 + 300 - 15
    watch.now += 1200  # the machine was asleep
    watch.see("ok", 300)
    assert sum(day["ok"] for day in watch.page["days"]) == 300 - 15


def test_what_is_older_than_the_page_is_forgotten(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "status.json")
    watch.see("down", 600)
    for _ in range(DAYS + 5):
        watch.see("ok", 30)
        watch.now += 86_400 - 30
    watch.see("ok", 60)
    assert len(watch.page["days"]) == DAYS
    assert watch.page["incidents"] == []
