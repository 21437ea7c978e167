"""The devnet over HTTP: a server for each simulated node, and the clock that produces blocks.

`start_devnet` runs everything in threads of this process. `/dev` moves money without signatures, so the
server binds to the loopback address by default.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from indexer.devnet.faults import Faults
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.router import Reply, Router
from indexer.devnet.venue import VenueView

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 4_000_000
SIDECHAIN_BUFFER: Final = 2  # `antiForkBufferMaxSize` of the published configuration
# Wallets reference a block a few blocks below head, so a new chain starts with some.
WARM_UP_BLOCKS: Final = 5


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 request handler with keep-alive; a response is sent in one write."""

    protocol_version = "HTTP/1.1"
    server_version = "PeakeDevnet"
    timeout = 120
    disable_nagle_algorithm = True
    wbufsize = -1
    router: Router

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._send(Reply(HTTPStatus.BAD_REQUEST, b'{"error":"Content-Length missing or too large"}'))
            return
        self._send(self.router.post(self.path.partition("?")[0], self.rfile.read(int(length))))

    def do_GET(self) -> None:
        self._send(self.router.get(self.path.partition("?")[0]))

    def do_OPTIONS(self) -> None:
        self._send(Reply(HTTPStatus.NO_CONTENT, b""))

    def _send(self, reply: Reply) -> None:
        if reply.body is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
        self.send_header("Access-Control-Allow-Headers", "*")
        self.send_header("Access-Control-Max-Age", "86400")
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.end_headers()
            self.wfile.write(reply.body)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    """HTTP server that tracks its open connections, so that `close_connections` ends kept-alive ones too."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if isinstance(sys.exception(), ConnectionError):
            log.debug("%s closed the connection", client_address)
        else:
            log.exception("request from %s failed", client_address)

    def close_connections(self) -> None:
        """Close all open connections, idle ones included."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class NodeServer:
    """One HTTP server over a node. Several may share a node, each with its own `faults`."""

    def __init__(self, node: DevNode, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the port; 0 takes a free one. Raises OSError."""
        self.node = node
        self.faults = Faults()
        self._closing = threading.Event()
        router = Router(node, self.faults, self._closing)
        handler = type("Handler", (_Handler,), {"router": router})
        self._server = _Server((host, port), handler)
        self.host, self.port = host, self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="devnet-http", daemon=True
        )

    @property
    def url(self) -> str:
        """URL of the Hive node."""
        return f"http://{self.host}:{self.port}"

    @property
    def engine_url(self) -> str:
        """URL of the sidechain node, which serves `/blockchain` and `/contracts` below it."""
        return f"{self.url}/engine"

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.close_connections()


class Devnet:
    """A node, its server, and the clock that produces a block every `block_time` seconds.

    With a `block_time` below a second the chain's time runs ahead of the wall clock, because timestamps of
    blocks are at least a second apart: for tests. `after_block` is called after every block in the clock's
    thread, without the lock; an exception ends the clock.
    """

    def __init__(
        self,
        node: DevNode,
        *,
        block_time: float = 3.0,
        host: str = "127.0.0.1",
        port: int = 0,
        after_block: Callable[[], None] | None = None,
    ) -> None:
        self.node = node
        self.server = NodeServer(node, host, port)
        self._block_time = block_time
        self._after_block = after_block
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._run, name="devnet-clock", daemon=True)

    @property
    def url(self) -> str:
        """URL of the Hive node."""
        return self.server.url

    @property
    def engine_url(self) -> str:
        """URL of the sidechain node."""
        return self.server.engine_url

    @property
    def is_running(self) -> bool:
        """Whether its clock still produces blocks."""
        return self._clock.is_alive()

    def start(self) -> None:
        """Start serving and producing blocks."""
        self.server.start()
        self._clock.start()

    def stop(self) -> None:
        """Stop the clock and the server."""
        self._stopping.set()
        if self._clock.is_alive() and threading.current_thread() is not self._clock:
            self._clock.join()
        self.server.stop()

    def __enter__(self) -> Devnet:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self.node.tick(int(time.time()))
            if self._after_block is not None:
                self._after_block()
            # After a delay the clock continues from now, without a burst of late blocks.
            due = max(due + self._block_time, time.monotonic())


def start_devnet(
    venue: VenueView | None = None,
    *,
    block_time: float = 3.0,
    host: str = "127.0.0.1",
    port: int = 0,
    lag: int = 1,
    seed: int = 0,
    begin: int | None = None,
    prologue: Callable[[DevNode], None] | None = None,
    after_block: Callable[[], None] | None = None,
) -> Devnet:
    """Start a devnet with the venue's accounts and tokens. Raises OSError if the port is taken.

    `lag` is the number of blocks by which irreversibility trails head. The chain begins at `begin` (seconds
    since 1970), by default a few blocks ago. `prologue` may produce blocks before the clock starts; requests
    wait for it. The caller must call `stop`.
    """
    slot = max(1, round(block_time))
    genesis = begin if begin is not None else int(time.time()) - (WARM_UP_BLOCKS + 1) * slot
    node = DevNode(Chain(seed=seed, block_time=slot, genesis=genesis, lag=lag), buffer=SIDECHAIN_BUFFER)
    for _ in range(WARM_UP_BLOCKS):
        node.tick()
    if venue is not None:
        node.prepare(venue)
    devnet = Devnet(node, block_time=block_time, host=host, port=port, after_block=after_block)
    try:
        if prologue is not None:
            prologue(node)
    except BaseException:
        devnet.stop()
        raise
    devnet.start()
    return devnet
