"""A single-threaded load generator: HTTP/1.1 over persistent connections, optionally with TLS."""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: close", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Load(NamedTuple):
    """The result of a load: latencies in seconds, sorted, and answers by status."""

    seconds: float
    latencies: Sequence[float]
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """A percentile of the latencies, in milliseconds; `part` is 0 to 1."""
        return 1000 * self.latencies[min(int(len(self.latencies) * part), len(self.latencies) - 1)]

    def __str__(self) -> str:
        return (
            f"{self.rate:>7,.0f}/s, p50 {self.percentile(0.5):>5.1f} ms, p99 {self.percentile(0.99):>5.1f} ms"
        )


def get(path: str, *headers: str) -> bytes:
    """The bytes of a GET request."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: bench", *headers, "\r\n")).encode()


class _Connection:
    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        opened = socket.create_connection(("127.0.0.1", port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = opened if tls is None else tls.wrap_socket(opened)
        self.socket.setblocking(False)
        self.started = 0.0
        self.is_closing = False  # the server closes it after this response, as nginx does after 1,000
        self._held = b""

    def send(self, request: bytes) -> None:
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the response is complete, else None. Raises ConnectionError where the server closes it early."""
        try:
            part = self.socket.recv(1 << 18)
            while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
                part += self.socket.recv(1 << 18)  # a decrypted rest, which the selector cannot see
        except ssl.SSLWantReadError:  # a session ticket, or a part of a record
            return None
        if not part:
            raise ConnectionError("the server hung up")
        self._held += part
        head, end, body = self._held.partition(b"\r\n\r\n")
        if not end or not _is_complete(head, body):
            return None
        self._held = b""
        self.is_closing = _CLOSES.search(head) is not None
        return int(head[9:12])


def _is_complete(head: bytes, body: bytes) -> bool:
    found = _LENGTH.search(head)
    if found is not None:
        return len(body) >= int(found[1])
    return _CHUNKED.search(head) is not None and body.endswith(_LAST_CHUNK)


def load(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    rate: float | None = None,
    tls: ssl.SSLContext | None = None,
) -> Load:
    """Ask for so many seconds: each connection again as soon as it is answered, or all together `rate` times
    a second (what waits for a free connection counts from when it was due)."""
    selector = selectors.DefaultSelector()
    wanted = cycle(requests)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    free = deque(
        _Connection(port, tls) for _ in range(connections)
    )  # used in turn, because the server closes idle ones
    for connection in free:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    began = time.perf_counter()
    end = began + seconds
    due = began
    while (now := time.perf_counter()) < end:
        while free and due <= now:
            connection = free.popleft()
            connection.send(next(wanted))
            if rate is not None:
                connection.started = due
                due += 1 / rate
        wake = due if rate is not None and free else end
        for key, _ in selector.select(max(0.0, min(end, wake) - now)):
            connection = key.data
            status = connection.receive()
            if status is not None:
                latencies.append(time.perf_counter() - connection.started)
                statuses[status] = statuses.get(status, 0) + 1
                if connection.is_closing:
                    selector.unregister(connection.socket)
                    connection.socket.close()
                    connection = _Connection(port, tls)
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
                free.append(connection)
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    return Load(time.perf_counter() - began, sorted(latencies), statuses)
