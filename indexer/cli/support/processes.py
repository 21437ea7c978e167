"""Child processes and signals of commands."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final, NamedTuple

import click

from settlement.net.backoff import Stopped

STOP_SECONDS: Final = 25
"""Longer than `peakedex serve` gives its workers, 20, and shorter than Docker gives the whole, 30."""
LAST_WORDS_SECONDS: Final = 5
"""How long the output of a child that has ended may stay open: by its own children, which notice its end."""
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


class _Child(NamedTuple):
    """A child process, its name, and the last lines of its error output."""

    name: str
    process: subprocess.Popen[bytes]
    last_lines: deque[str]
    reader: threading.Thread | None


class ProcessGroup:
    """Child processes that start and stop together. Each has its own session: signals come from here only.

    `last_lines` is how many lines of error output are repeated when a child has ended.
    """

    def __init__(self, last_lines: int = 0) -> None:
        self._last_lines = last_lines
        self._children: list[_Child] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a child that inherits output and environment; `environment` adds variables."""
        environment = {**os.environ, **(environment or {})}
        errors = subprocess.PIPE if self._last_lines else None
        process = subprocess.Popen(command, start_new_session=True, env=environment, stderr=errors)
        lines: deque[str] = deque(maxlen=self._last_lines)
        reader = None
        if process.stderr is not None:
            reader = threading.Thread(target=_copy, args=(process.stderr, lines), daemon=True)
            reader.start()
        self._children.append(_Child(name, process, lines, reader))

    def alive(self) -> bool:
        """Whether all children are running."""
        return all(child.process.poll() is None for child in self._children)

    def wait(self, stop: threading.Event) -> int:
        """Wait until `stop` is set or a child ends, then stop all.

        The exit code: 0, or that of the child, whose name, exit code and last lines are reported; 1 if it
        ended without an error, 128 and the signal's number if a signal killed it.
        """
        code = 0
        while not stop.wait(_POLL_SECONDS):
            ended = [child for child in self._children if child.process.poll() is not None]
            if ended:
                code = ended[0].process.returncode
                _report_end(ended[0])
                code = 128 - code if code < 0 else code or 1
                break
        self.stop()
        return code

    def stop(self) -> None:
        """Terminate all children; kill those that do not end within STOP_SECONDS, and report it."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
        for child in self._children:
            try:
                child.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
                click.echo(f"`peakedex {child.name}` did not stop within {STOP_SECONDS} s: killed", err=True)


def _copy(source: IO[bytes], last_lines: deque[str]) -> None:
    """Copy a child's error output to ours, and keep the last lines."""
    for raw in source:
        line = raw.decode(errors="replace")
        last_lines.append(line.rstrip())
        click.echo(line, nl=False, err=True)


def _report_end(child: _Child) -> None:
    if child.reader is not None:
        child.reader.join(LAST_WORDS_SECONDS)
    code = child.process.returncode
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    said = "".join(f"\n  {line}" for line in child.last_lines)
    click.echo(f"`peakedex {child.name}` {how}{':' if said else ''}{said}", err=True)
