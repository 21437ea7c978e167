"""A single-threaded load generator: HTTP/1.1 over persistent connections."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


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
    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = self._open()
        self.started = 0.0
        self._held = b""

    def _open(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self._port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def send(self, request: bytes) -> None:
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the response is complete, else None. Raises ConnectionError where the server closes it early."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server hung up")
        self._held += part
        head, end, body = self._held.partition(b"\r\n\r\n")
        if not end:
            return None
        found = _LENGTH.search(head)
        if found is None or len(body) < int(found[1]):
            return None
        self._held = b""
        return int(head[9:12])


def load(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float | None = None
) -> Load:
    """Ask for so many seconds: each connection again as soon as it is answered, or all together `rate` times
    a second (what waits for a free connection counts from when it was due)."""
    selector = selectors.DefaultSelector()
    wanted = cycle(requests)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    free = deque(
        _Connection(port) for _ in range(connections)
    )  # used in turn, because the server closes idle ones
    opened = list(free)
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
                free.append(connection)
    for connection in opened:
        connection.socket.close()
    return Load(time.perf_counter() - began, sorted(latencies), statuses)
