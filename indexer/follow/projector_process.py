"""The projector in a process of its own, so that rows are written while the rules go on with the next blocks.

Batches wait in a short queue for a thread that sends them through a pipe, so that the rules go on while the
child starts or writes. Neither process outlives the other: the child exits at once when the parent's end of
the pipe closes, and the parent's next call raises the error that ended the child.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from queue import Queue
from typing import Final, NoReturn

from indexer.follow.memory import tune_gc
from settlement.store.database import StoreError, closing_writer
from settlement.store.write.projector import Batch, Projector

QUEUED_BATCHES: Final = 4
"""Batches that wait in the parent; one more is in the pipe, one waits in the child, one is being written."""
_SWITCH_SECONDS: Final = 0.0001
"""How long the child's receiving thread waits at most for the interpreter.

A pipe holds 64 kB, so it waits some 30 times a batch: 5 ms each, Python's default, would take as long as
writing the batch."""
_END: Final = b""
_DONE: Final = None


class ProjectorProcess:
    """Parent's side: a BatchSink whose batches another process writes, in order. Discard it after an error.

    SIGINT and SIGTERM are blocked in the child: its parent decides when it ends.
    """

    def __init__(self, url: str) -> None:
        """Start the child, which opens the database `url` with the first batch."""
        context = get_context("spawn")
        batches, self._batches = context.Pipe(duplex=False)
        self._replies, replies = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_run, args=(url, batches, replies), name="projector", daemon=True
        )
        with _blocked_signals():
            self._process.start()
        batches.close()
        replies.close()
        self._waiting: Queue[bytes | None] = Queue(QUEUED_BATCHES)
        self._sender = threading.Thread(target=_send, args=(self._waiting, self._batches), daemon=True)
        self._sender.start()

    def project(self, batch: Batch) -> None:
        """Hand over a batch; waits while the queue is full. Raises the child's error."""
        if self._replies.poll():
            self._fail()
        self._waiting.put(pickle.dumps(batch))

    def finish(self) -> None:
        """Wait until all batches are committed and the child has exited. Raises the child's error."""
        self._waiting.put(_END)
        try:
            reply = self._replies.recv()
        except (ConnectionError, EOFError):
            self._fail()
        if reply is not _DONE:
            self._raise(*reply)
        self._process.join()
        self._close()

    def kill(self) -> None:
        """End the child now; a batch in progress is rolled back. No effect once it has exited."""
        self._process.kill()
        self._process.join()
        self._close()

    def _fail(self) -> NoReturn:
        """Raise the error that ended the child."""
        try:
            reply = self._replies.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            raise StoreError(
                f"the process that writes the database ended unexpectedly (exit code {code}): start again, "
                "nothing is lost"
            ) from None
        self._raise(*reply)

    def _raise(self, error: Exception, cause: BaseException | None) -> NoReturn:
        self._process.join()
        raise error from cause

    def _close(self) -> None:
        """The child has exited."""
        if self._sender.is_alive():
            self._waiting.put(None)
            self._sender.join()
        self._batches.close()
        self._replies.close()


def _send(waiting: Queue[bytes | None], batches: Connection) -> None:
    """Move batches from the queue to the pipe, until None. Once the child has exited they are dropped."""
    has_reader = True
    for text in iter(waiting.get, None):
        if has_reader:
            try:
                batches.send_bytes(text)
            except OSError:
                has_reader = False


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block SIGINT and SIGTERM in this thread. A process that is started meanwhile never receives them."""
    resource_tracker.ensure_running()  # otherwise the start would do it, and unblock the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(url: str, batches: Connection, replies: Connection) -> None:
    """The child: writes batches until the end mark. An error is sent to the parent, and ends it."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    queue: Queue[bytes] = Queue(1)
    threading.Thread(target=_receive, args=(batches, queue), daemon=True).start()
    try:
        first = queue.get()
        if first != _END:
            with closing_writer(url, is_migrated=True) as engine:
                projector = Projector(engine)
                tune_gc()
                for text in chain((first,), iter(queue.get, _END)):
                    projector.project(pickle.loads(text))
        replies.send(_DONE)
    except Exception as error:  # whatever ends the child, the parent must raise it
        replies.send(_portable(error))


def _receive(batches: Connection, queue: Queue[bytes]) -> None:
    """Move batches from the pipe to the queue; exit at once when the parent has exited."""
    try:
        text = None
        while text != _END:
            text = batches.recv_bytes()
            queue.put(text)
        batches.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _portable(error: Exception) -> tuple[Exception, BaseException | None]:
    """The error and its cause in a form that can be sent to another process, with the traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    cause = error.__cause__
    for each in (error, cause):
        try:
            pickle.loads(pickle.dumps(each))
        except Exception:  # pickle raises what an exception's own methods raise
            return RuntimeError(f"{type(error).__name__}: {error}"), None
    return error, cause
