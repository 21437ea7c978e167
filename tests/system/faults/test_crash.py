"""The process dies at each statement and commit in turn; the database is always consistent."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from settlement.store.database import open_reader, open_writer
from settlement.store.indexes import READ_INDEXES
from settlement.store.write.loader import load
from tests.support.examples import SEED
from tests.support.postgres import drop_database, execute, new_database
from tests.system.faults.dying import DEAD, LIVED, Stage, record
from tests.system.store.chains import dump, journal, picture
from tests.system.store.short_chain import VENUE_TEXT, short_chain, venue

BATCH = 3
SAMPLES = 40


class Scene:
    """A chain on disk, and the database after a replay without a crash."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.folder = folder
        self._stage = stage
        self.archive = short_chain().write(folder / "chain")
        self.path = folder / "dex.db"
        calm = folder / "calm.db"
        record(self.archive, str(calm), venue(), BATCH)
        self.calm = self.contents(calm)
        self.empty = folder / "empty.db"
        open_writer(str(self.empty)).dispose()

    def contents(self, path: Path) -> tuple[object, ...]:
        """Journal, state and every table, after SQLite's integrity check."""
        reader = open_reader(str(path))
        with sqlite3.connect(path) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            indexes = plain.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        plain.close()
        return journal(reader), picture(load(reader).state), dump(reader), indexes

    def moments(self, *, within: bool = False) -> int:
        """The number of moments from the current database to the end."""
        tally = self.folder / "moments"
        assert self.run(None, within=within, tally=tally) == LIVED
        assert self.contents(self.path) == self.calm
        self.remove()
        return int(tally.read_text())

    def run(self, at: int | None, *, within: bool = False, tally: Path | None = None) -> int:
        """Run a process that dies at that moment; returns its exit code."""
        return self._stage.run(
            archive=str(self.archive),
            url=str(self.path),
            venue_text=VENUE_TEXT,
            batch=BATCH,
            at=at,
            within=within,
            tally=str(tally or self.folder / "unused"),
        )

    def remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{self.path}{end}").unlink(missing_ok=True)

    def migrate(self) -> None:
        """A database with its tables and nothing in them."""
        self.remove()
        shutil.copy(self.empty, self.path)

    def check(self, at: int, *, within: bool = False) -> tuple[int, int] | None:
        """Crash there, check what is left, replay to the end, and compare with the run without a crash."""
        assert self.run(at, within=within) == DEAD, at
        left = self.what_is_left()
        assert left in WHOLE, (at, left)
        record(self.archive, str(self.path), venue(), BATCH)
        assert self.contents(self.path) == self.calm, at
        return left

    def what_is_left(self) -> tuple[int, int] | None:
        """The last processed block and the number of journal blocks after the crash."""
        if not self.path.exists():
            return None
        with sqlite3.connect(self.path) as plain:
            tables = plain.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            found = plain.execute("SELECT block FROM cursor").fetchone() if tables else None
            blocks = plain.execute("SELECT count(*) FROM journal").fetchone()[0] if tables else 0
        plain.close()
        return (found[0] if found else -1), blocks


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def scene(tmp_path: Path, stage: Stage) -> Scene:
    return Scene(tmp_path, stage)


# Blocks recorded and blocks in the journal after no, one, two, three and four batches; block 4 is quiet.
WHOLE = {None, (-1, 0), (0, 0), (3, 3), (6, 5), (9, 8), (10, 9)}


def test_a_crash_at_every_statement_and_every_commit(scene: Scene) -> None:
    """From the first row to the last index, each time with a new database.

    Of the rows every second moment, so that each COMMIT is tried from one side; the tests below try random ones.
    Indexes are all made alike: of their moments (the statement, and both sides of its COMMIT) the first ones,
    then every seventh, and the last.
    """
    scene.migrate()
    count = scene.moments()
    rows = count - 3 * len(READ_INDEXES)
    assert rows > 60, "the statements of this chain were counted wrongly"
    seen = set()
    for at in sorted({*range(1, rows, 2), *range(rows, rows + 6), *range(rows + 6, count, 7), count}):
        scene.migrate()
        seen.add(scene.check(at))
    assert seen | {None} == WHOLE
    scene.migrate()
    assert scene.run(count + 1) == LIVED


def test_a_crash_during_the_migration(scene: Scene) -> None:
    """The tables are created in one transaction. Every fifth moment, and those around its COMMIT."""
    count = scene.moments()
    scene.migrate()
    of_migrations = count - scene.moments()
    ats = {*range(1, of_migrations, 5), *range(of_migrations - 3, of_migrations + 4)}
    left = []
    for at in sorted(ats):
        scene.remove()
        left.append(scene.check(at))
    assert set(left) == {(-1, 0)}


def test_a_crash_within_a_statement(scene: Scene) -> None:
    """At random moments inside statements and commits."""
    scene.migrate()
    count = scene.moments(within=True)
    assert count > SAMPLES
    for at in sorted(random.Random(SEED).sample(range(1, count + 1), SAMPLES)):
        scene.migrate()
        scene.check(at, within=True)


def test_repeated_crashes(scene: Scene) -> None:
    """Each run gets a little further than the one before."""
    lives = 0
    at = 1
    while scene.run(at) == DEAD:
        lives += 1
        at += 9
    assert lives >= 5
    assert scene.contents(scene.path) == scene.calm


def test_a_reader_opens_the_database_after_a_crash(scene: Scene) -> None:
    """The API may start before the indexer: it sees the last committed batch."""
    at = 1
    open_writer(str(scene.path)).dispose()
    while scene.run(at) == DEAD:
        reader = open_reader(str(scene.path))
        left = scene.what_is_left()
        if left is not None and left[0] >= 0:
            found = load(reader)
            assert found.next_block() == left[0] + 1
            lines = journal(reader)
            calm_lines = scene.calm[0]
            assert isinstance(calm_lines, str)
            assert calm_lines.startswith(lines)
        reader.dispose()
        at += 17
    assert scene.contents(scene.path) == scene.calm


def test_crashes_on_postgresql(tmp_path: Path, stage: Stage) -> None:
    """At some moments: uncommitted rows are gone, and the next run ends like one without a crash."""
    archive, tally = short_chain().write(tmp_path / "chain"), tmp_path / "moments"
    words = {
        "archive": str(archive),
        "venue_text": VENUE_TEXT,
        "batch": BATCH,
        "within": False,
        "tally": str(tally),
    }

    def contents(url: str) -> tuple[object, ...]:
        reader = open_reader(url)
        found = journal(reader), picture(load(reader).state), dump(reader)
        reader.dispose()
        return found

    calm = new_database()
    assert stage.run(url=calm, at=None, **words) == LIVED
    seen = set()
    count = int(tally.read_text())
    for at in range(count // 15, count // 2, count // 15):  # the rest makes indexes
        url = new_database()
        assert stage.run(url=url, at=at, **words) == DEAD, at
        left = (execute(url, "SELECT block FROM cursor") or [(-1,)])[0][0]
        seen.add((left, execute(url, "SELECT count(*) FROM journal")[0][0]))
        record(archive, url, venue(), BATCH)
        assert contents(url) == contents(calm), at
        drop_database(url)
    drop_database(calm)
    assert seen <= WHOLE
    assert len(seen) >= 2
