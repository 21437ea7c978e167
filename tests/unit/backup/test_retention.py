"""Names of backups, and the retention policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from indexer.ops.backup.retention import Backup, complete, expired, read_name, stale_files

VENUE, OTHER = "ab" * 8, "cd" * 8
NIGHT = datetime(2026, 3, 1, 3, 0, 0, tzinfo=UTC)


def made(*times: datetime, venue: str = VENUE) -> list[Backup]:
    return [Backup(venue, time, number) for number, time in enumerate(times, 1)]


def kept(backups: list[Backup], daily: int, rolling: int) -> list[Backup]:
    gone = expired(backups, daily, rolling)
    assert set(gone) <= set(backups)
    return [backup for backup in backups if backup not in gone]


def test_of_nightly_ones_the_newest_stay() -> None:
    nightly = made(*(NIGHT + timedelta(days=day) for day in range(60)))
    assert kept(nightly, daily=7, rolling=30) == nightly[-30:]
    assert kept(nightly, daily=7, rolling=3) == nightly[-7:]


def test_of_hourly_ones_the_last_of_each_day_stays_too() -> None:
    hourly = made(*(NIGHT + timedelta(hours=hour) for hour in range(240)))
    stay = kept(hourly, daily=7, rolling=30)
    assert stay[-30:] == hourly[-30:]
    last_hours = [backup for backup in stay if backup.made.hour == 23]
    assert len({backup.made.date() for backup in stay}) == 7
    assert len(stay) == 30 + 7 - len({backup.made.date() for backup in hourly[-30:]})
    assert all(backup.made.hour == 23 for backup in stay[:-30])
    assert last_hours


def test_each_step_of_weeks_keeps_what_the_rule_says() -> None:
    """As backups are made and thinned out one after the other, none is missed that would still count."""
    have: list[Backup] = []
    everything = made(*(NIGHT + timedelta(hours=7 * step) for step in range(120)))
    for backup in everything:
        have = kept([*have, backup], daily=7, rolling=5)
        so_far = everything[: backup.block]
        assert have == kept(so_far, daily=7, rolling=5)
        assert have[-1] == backup


def test_a_pause_or_a_clock_that_was_wrong_deletes_nothing_more() -> None:
    years_ago = made(*(NIGHT - timedelta(days=3_000 + day) for day in range(3)))
    ahead = made(NIGHT + timedelta(days=9_000))
    today = made(NIGHT)
    assert set(kept([*years_ago, *ahead, *today], daily=7, rolling=1)) == {*years_ago, *ahead, *today}


def test_names_tell_and_only_ours_are_read() -> None:
    (backup,) = made(NIGHT)
    assert backup.snapshot == f"peakedex-{VENUE}-20260301T030000Z-1.snapshot"
    assert read_name(backup.snapshot) == (backup, ".snapshot")
    assert read_name(backup.manifest + ".part") == (backup, ".json.part")
    for name in (
        "peakedex.db",
        f"peakedex-{VENUE}-20261331T030000Z-1.snapshot",
        f"peakedex-{VENUE}-20260301T030000Z-1.txt",
        f"x{backup.snapshot}",
        f"{backup.snapshot}\n",
    ):
        assert read_name(name) is None


def test_a_backup_is_one_when_both_of_its_files_are_there() -> None:
    one, two, three = made(NIGHT, NIGHT + timedelta(hours=1), NIGHT + timedelta(hours=2))
    names = [one.snapshot, one.manifest, two.snapshot, two.manifest + ".part", three.manifest, "notes.txt"]
    assert complete(names) == [one]


def test_only_what_failed_long_ago_is_swept_and_of_this_venue_alone() -> None:
    old, new = made(NIGHT, NIGHT + timedelta(days=2))
    (foreign,) = made(NIGHT, venue=OTHER)
    whole = [old.snapshot, old.manifest]
    torn = [old.snapshot + ".part", new.snapshot + ".part", foreign.snapshot + ".part", "mine.part"]
    now = NIGHT + timedelta(days=2, hours=1)
    assert stale_files([*whole, *torn], VENUE, now) == [old.snapshot + ".part"]
