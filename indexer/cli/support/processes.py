"""Several processes as one command: all start, and when one ends or a signal comes, all end."""

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
    """The command line of this very program with other arguments."""
    return [sys.executable, "-m", "indexer.cli", *arguments]


def stop_event() -> threading.Event:
    """An event that SIGINT and SIGTERM set, for a clean end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _set(stop))
    return stop


def _set(stop: threading.Event) -> None:
    """From a signal's handler, which may have interrupted a wait for this very event: that holds the event's
    lock, and goes on only after the handler. So a thread of its own sets it, started without any lock."""
    _thread.start_new_thread(stop.set, ())


@contextmanager
def prompt_stop() -> Iterator[threading.Event]:
    """A stop event for loops that wait for nodes: what does not end by itself soon is interrupted.

    The main thread may sit in a read that a silent node never answers. It gets `Stopped` then, wherever it
    is: a transaction under way is rolled back, and what it held will be read again.
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


class Family:
    """Child processes that live and die together. Each is a group of its own: signals go through here."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a child; its output is ours, and so is its environment, with some variables more."""
        environment = {**os.environ, **(environment or {})}
        self._children.append(subprocess.Popen(command, start_new_session=True, env=environment))

    def alive(self) -> bool:
        """Whether every child still runs."""
        return all(child.poll() is None for child in self._children)

    def wait(self, stop: threading.Event) -> int:
        """Until the event is set or a child ends, then stop them all. The exit code: the ended child's."""
        code = 0
        while not stop.wait(_POLL_SECONDS):
            ended = [child.returncode for child in self._children if child.poll() is not None]
            if ended:
                code = ended[0] or 1
                break
        self.stop()
        return code

    def stop(self) -> None:
        """Ask every child to end; kill those that do not within some seconds."""
        for child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
        for child in self._children:
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
