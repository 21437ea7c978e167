"""Persistent state of notifications: how far the API has been read, active alarms, messages still to be sent.

One JSON file, replaced atomically at each change that matters and locked against a second process.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

from indexer.notify.message import Notification

VERSION: Final = 1
MAX_DELIVERED: Final = 2_000
"""Ids remembered of each target."""


class StateError(ValueError):
    """The state file cannot be used; the text gives the reason and the cure."""


class Mark(Struct):
    """How far a list of the API has been read: its newest item, and the block of the answer."""

    block: int = 0
    newest: str | None = None  # id; None: the list was empty


class AccountMarks(Struct):
    trades: Mark
    deposits: Mark
    withdrawals: Mark
    open_deposits: list[str] = field(default_factory=list)  # refunds that are due
    open_withdrawals: list[str] = field(default_factory=list)


class ActiveAlarm(Struct):
    """An alarm that is on. `sent` counts its messages, 0 while it is too young for one."""

    since: str  # ISO 8601, by this machine's clock
    first_seen: float  # seconds since 1970
    subjects: list[str]
    text: str
    sent: int = 0
    last_sent: float = 0.0


class Queue(Struct):
    """What a target is still to receive, oldest first, and the ids of what it has received, newest last."""

    pending: list[Notification] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    dropped: int = 0  # since the last message that said so
    reports: int = 0  # messages about dropped ones


class State(Struct):
    version: int = VERSION
    venue: str | None = None  # hash of the venue that was watched
    event_id: str | None = None  # of the stream
    accounts: dict[str, AccountMarks] = field(default_factory=dict)
    pairs: dict[str, Mark] = field(default_factory=dict)
    armed: dict[str, bool] = field(default_factory=dict)  # price and change rules by key
    alarms: dict[str, ActiveAlarm] = field(default_factory=dict)  # by kind
    queues: dict[str, Queue] = field(default_factory=dict)  # by target


class StateFile:
    """The file of a state. Holds a lock on `<path>.lock` until the process ends."""

    def __init__(self, path: Path) -> None:
        """Raises StateError, if another process has it or it cannot be read or written."""
        self._path = path
        try:
            self._lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateError(
                f"{path}: {error.strerror}: name a file in a folder that can be written"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateError(
                f"{path}: another process uses it: give each process a state file of its own"
            ) from None

    def load(self) -> State:
        """The state; a new one if there is no file. Raises StateError."""
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise StateError(f"{self._path}: {error.strerror}") from None
        except msgspec.MsgspecError as error:
            raise StateError(
                f"{self._path}: not a state of notifications ({error}): restore it, or move it away"
            ) from None
        if state.version != VERSION:
            raise StateError(f"{self._path}: version {state.version} is not known: move it away")
        return state

    def save(self, state: State) -> None:
        """Replace the file. Raises OSError."""
        replace_file(self._path, msgspec.json.format(msgspec.json.encode(state)), 0o600)


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file beside the path and rename it: the path has the old content or the new. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as out:
        os.fchmod(out.fileno(), mode)
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
