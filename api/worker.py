"""Gunicorn's thread worker, made patient within bounds: a client that dawdles holds no thread for long.

A connection that says nothing is put aside at once. A request must have arrived within `REQUEST_SECONDS`, and
its answer must be taken at `BYTES_PER_SECOND` or faster; else the connection is closed. What is no request at
all is answered as every other error.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http import errors as http_errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from api.http.errors import KINDS, PROBLEM, problem_body
from api.routes.stream import FEED

REQUEST_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 0.05
BYTES_PER_SECOND: Final = 16_384

log = logging.getLogger("peakedex.api")


class PatientSocket(socket.socket):
    """A socket that gives its client so much time and no more, however the server waits for it.

    Raises ConnectionResetError, which the worker knows, when the time is over.
    """

    seconds = REQUEST_SECONDS

    def setblocking(self, flag: bool) -> None:
        """The server is about to wait for a request: the clock starts."""
        self._deadline = time.monotonic() + self.seconds
        self.settimeout(self.seconds if flag else 0.0)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.gettimeout() == 0.0:
            return super().recv(size, flags)
        with self._until(self._deadline):
            return super().recv(size, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        left = memoryview(data).cast("B")
        deadline = time.monotonic() + self.seconds + len(left) / BYTES_PER_SECOND
        while left:
            with self._until(deadline):
                left = left[self.send(left, flags) :]

    @contextmanager
    def _until(self, deadline: float) -> Iterator[None]:
        """One step, which ends in time."""
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise _too_slow()
        self.settimeout(min(seconds, self.seconds))
        try:
            yield
        except TimeoutError:
            raise _too_slow() from None


def _too_slow() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the client was too slow")


class Worker(ThreadWorker):  # type: ignore[misc]
    """The worker of `peakedex serve`."""

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, PatientSocket):
            plain = conn.sock
            conn.sock = PatientSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
            conn.sock.setblocking(False)
            wait = conn.wait_for_data
            conn.wait_for_data = lambda _seconds: wait(SILENT_SECONDS)
        super().enqueue_req(conn)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Asked to stop, perhaps while it still starts: the streams, which would go on for ever, end now."""
        super().handle_exit(sig, frame)
        loaded = self.app.loaded
        feed = None if loaded is None else loaded.extensions.get(FEED)
        if feed is not None:
            feed.close()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Asked to stop without waiting. The pool of threads is not told, as gunicorn does: its lock may be
        held by the very work that this signal interrupts, which then waits for itself.
        """
        super(ThreadWorker, self).handle_quit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what never became a request, or failed outside the application."""
        code, sentence = _refusal(exc)
        if code == "E_INTERNAL":
            log.error("a request failed outside the application", exc_info=exc)
        body = problem_body(code, sentence)
        kind = KINDS[code]
        head = "\r\n".join(
            (
                f"HTTP/1.1 {kind.status} {kind.title}",
                "Connection: close",
                f"Content-Type: {PROBLEM}",
                f"Content-Length: {len(body)}",
                "Cache-Control: no-store",
                "X-Content-Type-Options: nosniff",
            )
        )
        try:
            client.sendall(head.encode("ascii") + b"\r\n\r\n" + body)
        except OSError as error:
            log.debug("the refusal could not be sent: %s", error)


def _refusal(error: BaseException) -> tuple[str, str]:
    if isinstance(error, http_errors.LimitRequestLine):
        return "E_ADDRESS", "The address is too long: 4,094 bytes at most."
    if isinstance(error, http_errors.LimitRequestHeaders):
        return "E_HEADERS", "The headers are too large: 100 of at most 8,190 bytes each."
    if isinstance(error, http_errors.ParseException):
        return "E_INPUT", "This is no HTTP request that this server understands."
    return "E_INTERNAL", "Something went wrong on our side. Nothing of yours was changed."


class ServerLog(Logger):  # type: ignore[misc]
    """Gunicorn's own messages, through our log and in its form."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.setLevel(logging.WARNING)
        self.error_log.propagate = True
