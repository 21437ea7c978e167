"""Pause of payouts, which outlives the database: after a restore payouts start paused.

The pause itself is in the database, where every command finds it. A restored database may lack the newest
pause and approvals. So the database counts the operator's decisions, and a small file outside it, the restore
mark, remembers the highest count and the newest signed payment that this machine has seen. A database that is
behind the mark was restored: it is paused until the operator resumes.

The file is `<database>.payouts` beside an SQLite database, else `<hash of the URL>.payouts` in the folder
$STATE_DIRECTORY (systemd) or $XDG_STATE_HOME/peakedex. `peakedex restore` pauses in any case.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from settlement.store.database import is_sqlite, parse_url
from settlement.store.payout_pause import (
    AFTER_RESTORE,
    RUNNING,
    Mark,
    count_decision,
    read_mark,
    read_pause,
    read_watch_reason,
    set_pause,
)

RESTORED_TEXT: Final = (
    "the database was restored. Check first: `peakedex payouts reconcile` finds no missing funds; start with "
    "--hold if a payout limit or the lifetime has changed since the copy. Then run `peakedex payouts resume`"
)
log = logging.getLogger("peakedex.payouts")


def pause_reason(connection: Connection) -> str | None:
    """Why payouts are paused; None where they are not."""
    pause = read_pause(connection)
    if pause == RUNNING:
        return None
    watched = read_watch_reason(connection)
    if watched is not None:
        return (
            f"{watched}. If that was you, run `peakedex payouts resume`; else change the accounts' keys first"
        )
    return RESTORED_TEXT if pause == AFTER_RESTORE else "`peakedex payouts resume` ends it"


def pause_if_restored(connection: Connection, file: RestoreMark) -> bool:
    """Pause a database that is behind the mark; whether it is.

    Its number of decisions is then above that of the mark, so that the same copy is noticed once more.
    """
    if not file.is_behind(read_mark(connection)):
        return False
    count_decision(connection, after=file.read().decisions)
    set_pause(connection, AFTER_RESTORE)
    return True


class RestoreMark:
    """The file that remembers the highest mark. Failures are logged: payments do not depend on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Mark | None = None

    @classmethod
    def of_database(cls, url: str) -> RestoreMark:
        """The file of a database, by its URL."""
        parsed = parse_url(url)
        if is_sqlite(parsed) and parsed.database:
            return cls(Path(f"{Path(parsed.database).absolute()}.payouts"))
        digest = sha256(parsed.set(password=None).render_as_string().encode()).hexdigest()
        state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
        home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
        return cls(Path(state or f"{home}/peakedex") / f"{digest[:16]}.payouts")

    def is_behind(self, mark: Mark) -> bool:
        """Whether a database with this mark was restored."""
        highest = self.read()
        return mark.decisions < highest.decisions or mark.payments < highest.payments

    def update_existing(self, mark: Mark) -> None:
        """Remember a mark if payouts have run on this machine, for this user."""
        if self._path.exists():
            self.update(mark)

    def update(self, mark: Mark) -> None:
        """Remember a mark, after the commit of what it counts."""
        if mark == self._written:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660), "w") as file:
                json.dump(mark._asdict(), file)
                file.flush()
                os.fsync(file.fileno())
                with suppress(OSError):
                    os.fchmod(file.fileno(), 0o660)  # the umask of a service allows less
            new.replace(self._path)
        except OSError as error:
            log.warning(
                "%s cannot be written (%s): a restored database may not be noticed",
                self._path,
                error.strerror,
            )
        self._written = mark

    def read(self) -> Mark:
        """The highest mark; zeros where there is no file."""
        try:
            found = json.loads(self._path.read_text())
            return Mark(int(found["decisions"]), int(found["payments"]))
        except FileNotFoundError:
            return Mark(0, 0)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s): a restored database may not be noticed", self._path, error)
            return Mark(0, 0)
