"""Processes that die while they write to a database, at once and without cleaning up.

`Stage` runs them one after the other. Each counts the moments at which the database changes (after each
statement that writes, before and after each COMMIT, or every few instructions of SQLite's virtual machine)
and ends with `os._exit` at a given one: no handler runs, nothing is flushed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Engine, event

from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.venue import Venue, parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

DEAD: Final = 77
LIVED: Final = 0
STEPS: Final = 10
"""Instructions of SQLite's virtual machine between two moments within a statement."""
READING: Final = ("SELECT", "PRAGMA", "BEGIN")
"""Statements that change nothing."""


class Death:
    """Ends the process at the k-th moment, counted from 1. `moments` is the number so far."""

    def __init__(self, at: int | None) -> None:
        self.moments = 0
        self._at = at

    def moment(self) -> None:
        self.moments += 1
        if self.moments == self._at:
            os._exit(DEAD)


def at_statements(death: Death) -> None:
    """Death may come after each statement that writes, before each COMMIT, and after it.

    After a SELECT the database is as the statement before left it.
    """

    def after(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip().startswith(READING):
            death.moment()

    event.listen(Engine, "after_cursor_execute", after)
    event.listen(Engine, "commit", lambda _: death.moment())
    event.listen(Engine, "checkin", lambda *_: death.moment())  # the connection returns to the pool


def within_statements(death: Death) -> None:
    """Death may come in the middle of any statement, COMMIT included."""

    def watch(connection: Any, _record: object) -> None:
        connection.set_progress_handler(death.moment, STEPS)

    event.listen(Engine, "connect", watch)


def record(folder: Path, url: str, venue: Venue, batch: int) -> None:
    """All that a replay does with its database: migrate, initialise, write, and create the indexes."""
    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, venue)
    Follower(rules, projector, ArchiveSource(folder, rules.venue_filter), batch_blocks=batch).run()
    make_read_indexes(engine)
    engine.dispose()


def live(
    archive: str, url: str, venue_text: str, batch: int, at: int | None, within: bool, tally: str
) -> None:
    """Replay until the moment `at`, or to the end, and write the number of moments to a file."""
    death = Death(at)
    (within_statements if within else at_statements)(death)
    record(Path(archive), url, parse_venue(venue_text), batch)
    Path(tally).write_text(str(death.moments))


class Stage:
    """A process without threads that forks a child for each life, so that it starts at once."""

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
    """The process of the stage. One replay runs here first, so that the children start warm."""
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
