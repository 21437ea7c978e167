"""Child processes and signals of commands."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from settlement.net.backoff import Stopped

STOP_SECONDS: Final = 10
GRACE_SECONDS: Final = 0.8
_POLL_SECONDS: Final = 0.2


def peakedex(*arguments: str) -> list[str]:
    """The command line that runs this program with the given arguments."""
    return [sys.executable, "-m", "indexer.cli", *arguments]


def stop_event() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _set(stop))
    return stop


def _set(stop: threading.Event) -> None:
    """Set the event from a signal handler.

    The handler may have interrupted `stop.wait()`, which holds the event's lock until the handler returns, so
    another thread sets it. `_thread.start_new_thread` takes no lock.
    """
    _thread.start_new_thread(stop.set, ())


@contextmanager
def interruptible_stop() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; GRACE_SECONDS later, `Stopped` is raised in the main thread.

    It ends a read that a silent node never answers. An open transaction is rolled back.
    """

    def stopped(*_: Any) -> None:
        _set(stop)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def interrupt(*_: Any) -> None:
        raise Stopped

    stop = threading.Event()
    handlers = {signal.SIGINT: stopped, signal.SIGTERM: stopped, signal.SIGALRM: interrupt}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    except Stopped:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


class ProcessGroup:
    """Child processes that start and stop together. Each has its own session: signals come from here only."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a child that inherits output and environment; `environment` adds variables."""
        environment = {**os.environ, **(environment or {})}
        self._children.append(subprocess.Popen(command, start_new_session=True, env=environment))

    def alive(self) -> bool:
        """Whether all children are running."""
        return all(child.poll() is None for child in self._children)

    def wait(self, stop: threading.Event) -> int:
        """Wait until `stop` is set or a child ends, then stop all. The exit code of the child, or 0."""
        code = 0
        while not stop.wait(_POLL_SECONDS):
            ended = [child.returncode for child in self._children if child.poll() is not None]
            if ended:
                code = ended[0] or 1
                break
        self.stop()
        return code

    def stop(self) -> None:
        """Terminate all children; kill those that do not end within STOP_SECONDS."""
        for child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
        for child in self._children:
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
