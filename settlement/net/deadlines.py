"""An absolute deadline for HTTP exchanges over requests: sending, the answer's headers and its body.

The timeouts of requests bound only the silence between two receives, so that a server which sends a byte from
time to time could hold an exchange open without end.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any, cast

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """The end of the exchange under way, by `time.monotonic`."""

    def __init__(self) -> None:
        self._at = float("inf")

    def start(self, seconds: float) -> None:
        """Begin an exchange of at most this long."""
        self._at = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Seconds until the end. Raises TimeoutError when it is reached."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        return left


class DeadlineAdapter(HTTPAdapter):
    """Transport of a requests session whose exchanges end at a deadline, also behind a proxy."""

    def __init__(self, deadline: Deadline) -> None:
        self._pools = _pool_classes(deadline)
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.PoolManager:
        manager = cast(urllib3.PoolManager, super().proxy_manager_for(proxy, **options))
        manager.pool_classes_by_scheme = self._pools
        return manager


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until the deadline."""

    def __init__(self, sock: socket.socket, file: io.BufferedReader, deadline: Deadline) -> None:
        self._sock = sock
        self._raw = file.detach()
        self._deadline = deadline
        self._silence = sock.gettimeout()  # seconds, of a single receive

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.seconds_left()
        self._sock.settimeout(left if self._silence is None else min(left, self._silence))
        return cast(int | None, self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pool_classes(deadline: Deadline) -> dict[str, Any]:
    """Connection pools by URL scheme whose answers are read until the deadline."""

    class Response(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp, deadline))

    class Connection(HTTPConnection):
        response_class = Response

    class SecureConnection(HTTPSConnection):
        response_class = Response

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}
