"""A process that dies while it records: not by an exception, which could be tidied up after, but at once.

`Stage` runs the one life after the other, each in a process of its own. A life counts the moments at which the recorder touches the
database (after each statement that writes, before and after each COMMIT, or so many steps of SQLite's own
machine) and ends with `os._exit` at the one that it was given: no handler runs, nothing is flushed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Engine, event

from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.venue import Venue, parse_venue
from settlement.store import database, postgresql
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

DEAD: Final = 77
LIVED: Final = 0
STEPS: Final = 10
"""A moment inside a statement: so many instructions of SQLite's virtual machine."""
READING: Final = ("SELECT", "PRAGMA", "BEGIN")
"""Statements that change nothing."""


class Death:
    """Comes at the k-th moment, counted from 1. `moments` tells how many went by."""

    def __init__(self, at: int | None) -> None:
        self.moments = 0
        self._at = at

    def moment(self) -> None:
        self.moments += 1
        if self.moments == self._at:
            os._exit(DEAD)


def at_statements(engine: Engine, death: Death) -> None:
    """Death may come after each statement that writes, and before and after each COMMIT.

    What was read leaves nothing behind: whoever dies then leaves what the statement before it left.
    """

    def after(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip().startswith(READING):
            death.moment()

    event.listen(engine, "after_cursor_execute", after)
    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        death.moment()
        commit(connection)
        death.moment()

    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]


def within_statements(engine: Engine, death: Death) -> None:
    """Death may come in the middle of any statement, COMMIT included."""

    def watch(connection: Any, _record: object) -> None:
        connection.set_progress_handler(death.moment, STEPS)

    event.listen(engine, "connect", watch)


def record(
    folder: Path, url: str, venue: Venue, batch: int, prepare: Callable[[Engine], None] | None = None
) -> None:
    """All that a replay does with its database: migrate, begin, record, and make the readers' indexes."""
    if prepare is None:
        engine = open_writer(url)
    else:
        engine = _open_watched(url, prepare)
    rules, recorder = load_or_initialise(engine, venue)
    Follower(rules, recorder, ArchiveSource(folder, rules.venue_filter), batch_blocks=batch).run()
    make_read_indexes(engine)
    engine.dispose()


def _open_watched(url: str, prepare: Callable[[Engine], None]) -> Engine:
    """The writer's engine, watched before its first statement: migrations can be cut off too."""
    original = database.create_engine

    def create(*words: Any, **names: Any) -> Engine:
        engine = original(*words, **names)
        prepare(engine)
        return engine

    for module in (database, postgresql):
        module.create_engine = create  # type: ignore[attr-defined]
    try:
        return open_writer(url)
    finally:
        for module in (database, postgresql):
            module.create_engine = original  # type: ignore[attr-defined]


def live(
    archive: str, url: str, venue_text: str, batch: int, at: int | None, within: bool, tally: str
) -> None:
    """Record until the moment `at`; without one to the end, and write down how many moments there were."""
    death = Death(at)
    watch = within_statements if within else at_statements
    record(Path(archive), url, parse_venue(venue_text), batch, lambda engine: watch(engine, death))
    Path(tally).write_text(str(death.moments))


class Stage:
    """A process without threads that forks one life after the other, so that each starts at once."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.faults.dying"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, **life: Any) -> int:
        """Live, and tell by which exit code it ended. The words are those of `live`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(life) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve() -> None:
    """The stage's own side. The first life runs here and dies of old age, so that later ones start warm."""
    is_warm = False
    for line in sys.stdin:
        words = json.loads(line)
        if not is_warm:
            with tempfile.TemporaryDirectory() as folder:
                record(Path(words["archive"]), f"{folder}/warm.db", parse_venue(words["venue_text"]), 1)
            is_warm = True
        child = os.fork()
        if child == 0:
            try:
                live(**words)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(LIVED)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
