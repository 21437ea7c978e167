"""The process dies at each statement and commit in turn; whoever comes after it finds nothing torn."""

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
from tests.support.postgres import drop_database, execute, new_database
from tests.system.faults.dying import DEAD, LIVED, Stage, record
from tests.system.store.brief import VENUE_TEXT, brief, venue
from tests.system.store.chains import dump, journal, picture

BATCH = 3
SAMPLES = 40


class Scene:
    """A chain on disk, and how the database looks at the end when nothing goes wrong."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.folder = folder
        self._stage = stage
        self.archive = brief().write(folder / "chain")
        self.path = folder / "dex.db"
        calm = folder / "calm.db"
        record(self.archive, str(calm), venue(), BATCH)
        self.calm = self.contents(calm)
        self.empty = folder / "empty.db"
        open_writer(str(self.empty)).dispose()

    def contents(self, path: Path) -> tuple[object, ...]:
        """The journal, the rules' memory and every table; checked whole by SQLite itself first."""
        reader = open_reader(str(path))
        with sqlite3.connect(path) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            indexes = plain.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        plain.close()
        return journal(reader), picture(load(reader).state), dump(reader), indexes

    def moments(self, *, within: bool = False) -> int:
        """How many there are from the database at hand to the end."""
        tally = self.folder / "moments"
        assert self.run(None, within=within, tally=tally) == LIVED
        assert self.contents(self.path) == self.calm
        self.remove()
        return int(tally.read_text())

    def run(self, at: int | None, *, within: bool = False, tally: Path | None = None) -> int:
        """A process that records, and dies at that moment; its exit code."""
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
        """Die there, look at what is left, go on to the end, and compare all of it with the calm run."""
        assert self.run(at, within=within) == DEAD, at
        left = self.what_is_left()
        assert left in WHOLE, (at, left)
        record(self.archive, str(self.path), venue(), BATCH)
        assert self.contents(self.path) == self.calm, at
        return left

    def what_is_left(self) -> tuple[int, int] | None:
        """Last block recorded and the number of journal blocks, as a reader of the wreck sees them."""
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


# Blocks recorded and blocks in the journal after no, one, two and three whole batches; block 4 is quiet.
WHOLE = {None, (-1, 0), (0, 0), (3, 3), (6, 5), (8, 7)}


def test_death_at_every_statement_and_every_commit(scene: Scene) -> None:
    """From the first row to the last index, one life after the other, each in a new database.

    Indexes are all made alike: of their moments (the statement, and both sides of its COMMIT) the first ones,
    then every seventh, and the last.
    """
    scene.migrate()
    count = scene.moments()
    rows = count - 3 * len(READ_INDEXES)
    assert rows > 60, "the statements of this chain were counted wrongly"
    seen = set()
    for at in sorted({*range(1, rows + 6), *range(rows + 6, count, 7), count}):
        scene.migrate()
        seen.add(scene.check(at))
    assert seen | {None} == WHOLE
    scene.migrate()
    assert scene.run(count + 1) == LIVED


def test_death_while_the_tables_are_made(scene: Scene) -> None:
    """They come in one transaction: all or none. Every fifth moment, and those around its COMMIT."""
    count = scene.moments()
    scene.migrate()
    of_migrations = count - scene.moments()
    ats = {*range(1, of_migrations, 5), *range(of_migrations - 3, of_migrations + 4)}
    left = []
    for at in sorted(ats):
        scene.remove()
        left.append(scene.check(at))
    assert set(left) == {(-1, 0)}


def test_death_in_the_middle_of_a_statement(scene: Scene) -> None:
    """At moments drawn among all those steps of SQLite that are inside statements and commits."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    scene.migrate()
    count = scene.moments(within=True)
    assert count > SAMPLES
    for at in sorted(random.Random(seed).sample(range(1, count + 1), SAMPLES)):
        scene.migrate()
        scene.check(at, within=True)


def test_death_upon_death(scene: Scene) -> None:
    """Every life gets a little further than the one before; none starts from nothing."""
    lives = 0
    at = 1
    while scene.run(at) == DEAD:
        lives += 1
        at += 9
    assert lives >= 5
    assert scene.contents(scene.path) == scene.calm


def test_a_reader_looks_at_the_wreck_without_mending_it(scene: Scene) -> None:
    """The API may come up before the indexer does: it sees the last whole batch."""
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


def test_death_on_postgresql(tmp_path: Path, stage: Stage) -> None:
    """At some moments of it: what the dead had not committed is gone, and the next life ends as a calm one."""
    archive, tally = brief().write(tmp_path / "chain"), tmp_path / "moments"
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
