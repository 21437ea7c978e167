"""A small HTTP server that fails as the world fails."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from settlement.net.backoff import Waiter

Handler = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Raw:
    """An answer as it stands: status, bytes, headers; with `cut`, the connection breaks before its end."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay: float = 0.0


@dataclass(frozen=True)
class Text:
    """A result by its JSON text."""

    text: bytes


def rpc_error(message: str, code: int = -32003) -> Raw:
    return Raw(
        body=json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}).encode()
    )


HTML = Raw(body=b"<html><body>502 Bad Gateway</body></html>", headers={"Content-Type": "text/html"})
BUSY = Raw(503, b"busy")
TOO_MANY = Raw(429, b"slow down", {"Retry-After": "7"})
CUT = Raw(body=b'{"jsonrpc":"2.0","result":{"blocks":[', cut=True)
HALF = Raw(body=b'{"jsonrpc":"2.0","result":{"blocks":[')


class Node:
    """A node: `answer(method, params)` gives the result; `faults` are served first, one a request.

    `pages` are the JSON values that a GET of a path gives; others are not found.
    """

    def __init__(self, answer: Handler) -> None:
        self.answer = answer
        self.faults: deque[Any] = deque()
        self.pages: dict[str, Any] = {}
        self.requests: list[tuple[str, Any]] = []
        self.request_id = 0  # of the request that is being answered
        self.connections = 0
        self.url = ""


def forwarding(url: str, before: Callable[[str], Raw | None]) -> Node:
    """A node that passes requests on to another one, after `before(method)`; where that gives an answer, it is sent."""

    def forward(method: str, params: Any) -> Raw:
        answer = before(method)
        if answer is not None:
            return answer
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": node.request_id}
        try:
            reply = requests.post(url, json=request, timeout=60)
        except requests.ConnectionError:
            return Raw(cut=True)
        return Raw(reply.status_code, reply.content, {"Content-Type": reply.headers["Content-Type"]})

    node = Node(forward)
    node.pages["/dev/status"] = requests.get(f"{url}/dev/status", timeout=60).json()
    return node


@contextmanager
def serve(node: Node) -> Iterator[Node]:
    """Run the node on a port of its own; after this, its connections are refused."""

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body go out as one write, or Nagle's algorithm holds the second one back.
        wbufsize = -1

        def setup(self) -> None:
            node.connections += 1
            super().setup()

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            node.request_id = request["id"]
            node.requests.append((request["method"], request["params"]))
            answer = node.faults.popleft() if node.faults else None
            if answer is None:
                answer = node.answer(request["method"], request["params"])
            if not isinstance(answer, Raw):
                result = answer.text if isinstance(answer, Text) else json.dumps(answer).encode()
                answer = Raw(body=b'{"jsonrpc":"2.0","result":%b,"id":%d}' % (result, request["id"]))
            self.send(answer)

        def do_GET(self) -> None:
            page = node.pages.get(self.path)
            self.send(Raw(404) if page is None else Raw(body=json.dumps(page).encode()))

        def send(self, answer: Raw) -> None:
            time.sleep(answer.delay)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + (1000 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.daemon_threads = True
    node.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hanging(head: bytes = b"", drip: bytes = b"") -> Iterator[str]:
    """A node that accepts connections and requests, sends `head`, then a byte of `drip` from time to time."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def hold(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(head)
            while not stop.wait(0.1):
                connection.sendall(drip)

    def accept() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                threads.append(threading.Thread(target=hold, args=(listening.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop.set()
            accepting.join()
            for thread in threads:
                thread.join()


class Pauses:
    """In place of sleeping: notes each pause, and lets the test change the world before time goes on."""

    def __init__(self, then: Callable[[int], None] = lambda _: None, most: int = 50) -> None:
        self.seconds: list[float] = []
        self._then = then
        self._most = most
        self._now = 0.0

    def now(self) -> float:
        """The test's time, in seconds."""
        return self._now

    def waiter(self) -> Waiter:
        """One that pauses here, and tells this time."""
        return Waiter(sleep=self, now=self.now)

    def __call__(self, seconds: float) -> bool:
        """Sleep, in the test's time. Says stop when the test has seen too many."""
        self.seconds.append(seconds)
        self._now += seconds
        self._then(len(self.seconds))
        return len(self.seconds) >= self._most
