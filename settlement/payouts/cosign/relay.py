"""Relay for cosigning messages: stores bundles that operators post, and returns them to all who poll.

A separate process without keys and without a database. Bundles are opaque here: payouts processes check what
they fetch. Nothing in a bundle is secret, and a lost one is posted again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from settlement.payouts.cosign import BUNDLES_PATH, MAX_BUNDLE_BYTES, MAX_PAGE_BYTES

_MAX_NUMBER_DIGITS: Final = 15
_MAX_PORT_DIGITS: Final = 5
_MAX_PORT: Final = 65_535

log = logging.getLogger("peakedex.relay")


class RelayError(Exception):
    """The relay cannot start; the text says why."""


class Limits(NamedTuple):
    """Limits of a relay."""

    max_connections: int = 32
    connection_seconds: float = 15.0  # from accepting a connection to closing it
    max_bundles: int = 1000  # stored; the oldest is dropped for a new one
    keep_seconds: float = 3600.0  # as long as any payment can live


class _Bundle(NamedTuple):
    number: int
    body: bytes
    arrived: float  # by the store's clock, in seconds


class BundleStore:
    """Bounded in-memory store of bundles, numbered from 1 in order of arrival. Thread-safe."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self.id = secrets.token_hex(8)  # another one after a restart, when numbers start at 1 again
        self._limits = limits
        self._now = now
        self._last = 0
        self._bundles: dict[bytes, _Bundle] = {}  # by digest, oldest first
        self._lock = threading.Lock()

    def add(self, body: bytes) -> int:
        """Store a bundle; returns its number, the same if it is stored already."""
        digest = hashlib.sha256(body).digest()
        with self._lock:
            self._drop_old()
            if digest not in self._bundles:
                self._last += 1
                self._bundles[digest] = _Bundle(self._last, body, self._now())
                if len(self._bundles) > self._limits.max_bundles:
                    del self._bundles[next(iter(self._bundles))]
            return self._bundles[digest].number

    def after(self, number: int) -> tuple[int, list[bytes]]:
        """The bundles after a number, up to MAX_PAGE_BYTES, and the number of the last one."""
        page: list[bytes] = []
        size = 0
        with self._lock:
            self._drop_old()
            for bundle in self._bundles.values():
                if bundle.number <= number:
                    continue
                size += len(bundle.body) + 1
                if size > MAX_PAGE_BYTES:
                    break
                page.append(bundle.body)
                number = bundle.number
        return number, page

    def _drop_old(self) -> None:
        oldest = self._now() - self._limits.keep_seconds
        for digest in [key for key, bundle in self._bundles.items() if bundle.arrived < oldest]:
            del self._bundles[digest]


class Relay(ThreadingHTTPServer):
    """HTTP server of a bundle store. Start it with `start`, end it with `stop`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], limits: Limits | None = None) -> None:
        """`address`: host and port (0: any free port). Raises RelayError."""
        self.limits = limits or Limits()
        self.store = BundleStore(self.limits)
        self._connections = threading.BoundedSemaphore(self.limits.max_connections)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise RelayError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror}") from error

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, name="relay", daemon=True).start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self.shutdown()
        self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._connections.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One request per connection, which is closed after `connection_seconds` at the latest."""

    server: Relay
    server_version = "PeakeDEX"
    sys_version = ""
    timeout = 5

    def setup(self) -> None:
        super().setup()
        self._deadline = threading.Timer(self.server.limits.connection_seconds, self._abort)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        with contextlib.suppress(OSError):
            super().finish()

    def _abort(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self) -> None:
        """Store a bundle: a JSON object."""
        if self.path != BUNDLES_PATH:
            self._error(HTTPStatus.NOT_FOUND, "no such path")
            return
        length = self.headers.get("Content-Length", "")
        is_number = length.isascii() and length.isdecimal() and len(length) <= _MAX_NUMBER_DIGITS
        if not is_number or int(length) > MAX_BUNDLE_BYTES:
            self._error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a bundle has at most {MAX_BUNDLE_BYTES} bytes")
            return
        try:
            bundle = json.loads(self.rfile.read(int(length)))
            text = json.dumps(bundle, separators=(",", ":"), allow_nan=False).encode()
        except (ValueError, RecursionError):
            self._error(HTTPStatus.BAD_REQUEST, "the body is not JSON")
            return
        if not isinstance(bundle, dict) or len(text) > MAX_BUNDLE_BYTES:
            self._error(HTTPStatus.BAD_REQUEST, "the body is not a JSON object within the size limit")
            return
        self._send(HTTPStatus.OK, b'{"number":%d}' % self.server.store.add(text))

    def do_GET(self) -> None:
        """The bundles after a number: `{"relay": …, "last": …, "bundles": […]}`."""
        url = urlsplit(self.path)
        after = parse_qs(url.query).get("after", ["0"])[0]
        if url.path != BUNDLES_PATH:
            self._error(HTTPStatus.NOT_FOUND, "no such path")
            return
        if not (after.isascii() and after.isdecimal() and len(after) <= _MAX_NUMBER_DIGITS):
            self._error(HTTPStatus.BAD_REQUEST, "after must be a number")
            return
        store = self.server.store
        last, bundles = store.after(int(after))
        head = json.dumps({"relay": store.id, "last": last})[:-1].encode()
        self._send(HTTPStatus.OK, head + b', "bundles": [' + b",".join(bundles) + b"]}")

    def _error(self, status: HTTPStatus, text: str) -> None:
        self._send(status, json.dumps({"error": text}).encode())

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT. Raises RelayError."""
    host, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= _MAX_PORT_DIGITS and int(port) <= _MAX_PORT
    if not host or not is_port:
        raise RelayError(f"{text!r} is not an address: write HOST:PORT, for example 127.0.0.1:8095")
    return host.strip("[]"), int(port)
