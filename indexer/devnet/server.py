"""The devnet over HTTP: the Hive node at `/`, the sidechain under `/engine`, a faucet under `/dev`.

`start_devnet` runs all of it in threads of this process. Nothing here is for the public: `/dev` moves
money without signatures, so the server binds to the loopback address unless told otherwise.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from indexer.devnet.faults import HTML_429, HTML_502, HTML_503, LOCK_ERROR, Faults
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.block_methods import BlockMethods
from indexer.devnet.rpc.dev_methods import DevMethods
from indexer.devnet.rpc.json_rpc import Dispatcher, Method, PlainDispatcher
from indexer.devnet.rpc.sidechain_methods import EngineMethods
from indexer.devnet.rpc.signing_methods import SigningMethods
from indexer.devnet.rpc.state_methods import StateMethods
from indexer.devnet.venue import VenueView

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 4_000_000
SILENCE_SECONDS: Final = 3600
# Wallets refer to a block a few below head, so a new chain begins with some.
WARM_UP_BLOCKS: Final = 5
JSON: Final = "application/json"
HTML: Final = "text/html"


class Reply(NamedTuple):
    """An HTTP answer; a body of None closes the connection without one."""

    status: int
    body: bytes | None
    content_type: str = JSON


def hive_methods(node: DevNode) -> dict[str, dict[str, Method]]:
    """All methods of the Hive node by api and name."""
    tables: dict[str, dict[str, Method]] = {}
    for source in (BlockMethods(node).tables(), StateMethods(node).tables(), SigningMethods(node).tables()):
        for api, methods in source.items():
            tables.setdefault(api, {}).update(methods)
    names = sorted(f"{api}.{name}" for api, methods in tables.items() for name in methods)
    tables["jsonrpc"] = {"get_methods": lambda _: names}
    return tables


class Router:
    """Answers requests by path. One for each server, with that server's faults."""

    def __init__(self, node: DevNode, faults: Faults, closing: threading.Event) -> None:
        self._node = node
        self._faults = faults
        self._closing = closing
        self._hive = Dispatcher(hive_methods(node))
        engine = EngineMethods(node)
        self._blockchain = PlainDispatcher(engine.blockchain())
        self._contracts = PlainDispatcher(engine.contracts())
        self._dev = DevMethods(node, faults)

    def post(self, path: str, body: bytes) -> Reply:
        """Answer a POST."""
        match path.rstrip("/"):
            case "" | "/rpc":
                return self._answer_hive(body)
            case "/engine/blockchain":
                return self._answer_engine(self._blockchain, body)
            case "/engine/contracts":
                return self._answer_engine(self._contracts, body)
            case dev if dev.startswith("/dev/"):
                return self._answer_dev(dev.removeprefix("/dev/"), body)
        return Reply(HTTPStatus.NOT_FOUND, b'{"error":"no such path"}')

    def get(self, path: str) -> Reply:
        """Answer a GET: how the devnet is, for people and scripts."""
        if path.rstrip("/") in ("", "/dev/status", "/health"):
            with self._node.lock:
                return _json_reply(self._dev.status())
        if path.rstrip("/") == "/dev/faults":
            return _json_reply(self._dev.faults({}))
        return Reply(HTTPStatus.NOT_FOUND, b'{"error":"no such path"}')

    def _answer_hive(self, body: bytes) -> Reply:
        faults = self._faults
        if faults.silent:
            self._closing.wait(SILENCE_SECONDS)
            return Reply(HTTPStatus.OK, None)
        if faults.delay_ms:
            self._closing.wait(faults.delay_ms / 1000)
        if faults.refuses:
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, HTML_503, HTML)
        if faults.take("html_errors"):
            return Reply(HTTPStatus.BAD_GATEWAY, HTML_502, HTML)
        if faults.take("too_many"):
            return Reply(HTTPStatus.TOO_MANY_REQUESTS, HTML_429, HTML)
        if faults.take("lock_errors"):
            error = {"code": -32003, "message": LOCK_ERROR}
            return _json_reply({"jsonrpc": "2.0", "error": error, "id": _ident(body)})
        with self._node.lock:
            answer = self._hive.answer(body)
            if faults.take("duplicate_replies"):
                answer = self._hive.answer(body)
            head = self._node.chain.head
        if faults.take("lost_replies"):
            return Reply(HTTPStatus.OK, None)
        if faults.distorts:
            answer = faults.distort(answer, head)
        if faults.take("bad_json"):
            answer = answer[: len(answer) // 2]
        return Reply(HTTPStatus.OK, answer)

    def _answer_engine(self, dispatcher: Dispatcher, body: bytes) -> Reply:
        if self._faults.engine_silent:
            self._closing.wait(SILENCE_SECONDS)
            return Reply(HTTPStatus.OK, None)
        if self._faults.engine_refuses:
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, HTML_503, HTML)
        with self._node.lock:
            answer = dispatcher.answer(body)
        return Reply(
            HTTPStatus.OK, self._faults.disagree(answer) if self._faults.engine_disagrees else answer
        )

    def _answer_dev(self, name: str, body: bytes) -> Reply:
        try:
            request = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            return _json_reply({"error": f"the body is not JSON: {error}"}, HTTPStatus.BAD_REQUEST)
        method = self._dev.method(name)
        if method is None or not isinstance(request, dict):
            return _json_reply({"error": f"no such call: /dev/{name}"}, HTTPStatus.NOT_FOUND)
        try:
            with self._node.lock:
                return _json_reply(method(request))
        except (ChainError, ValueError) as error:
            return _json_reply({"error": str(error)}, HTTPStatus.BAD_REQUEST)


def _json_reply(value: object, status: int = HTTPStatus.OK) -> Reply:
    return Reply(status, json.dumps(value).encode())


def _ident(body: bytes) -> object:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return request.get("id") if isinstance(request, dict) else None


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; an answer leaves in one write."""

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
    """Knows its open connections, so that a stopped node falls silent for clients that keep theirs."""

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
            log.debug("%s went away", client_address)
        else:
            log.exception("the devnet failed on a request from %s", client_address)

    def close_connections(self) -> None:
        """End all of them, also those that wait for a client's next request."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class NodeServer:
    """One HTTP server over a node. Several may share a node, each with its own `faults`."""

    def __init__(self, node: DevNode, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind at once (port 0 takes a free one). Raises OSError."""
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
        """Where the Hive node answers."""
        return f"http://{self.host}:{self.port}"

    @property
    def engine_url(self) -> str:
        """Where the sidechain node answers: `<engine_url>/blockchain` and `/contracts`."""
        return f"{self.url}/engine"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.close_connections()


class Devnet:
    """A node, its server, and the clock that makes a block every `block_time` seconds.

    A `block_time` below a second lets the chain's time run ahead of the wall clock, because blocks are
    at least a second apart by their own time: fit for tests. `after_block` is called after every block,
    in the clock's thread and without the lock; what it raises ends the clock.
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
        """Where the Hive node answers."""
        return self.server.url

    @property
    def engine_url(self) -> str:
        """Where the sidechain node answers."""
        return self.server.engine_url

    def start(self) -> None:
        """Answer, and make blocks, from now on."""
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
            # A clock that was held up goes on from now: no burst of late blocks.
            due = max(due + self._block_time, time.monotonic())


def start_devnet(
    venue: VenueView | None = None,
    *,
    block_time: float = 3.0,
    host: str = "127.0.0.1",
    port: int = 0,
    lag: int = 1,
    seed: int = 0,
    after_block: Callable[[], None] | None = None,
) -> Devnet:
    """A running devnet, with the venue's accounts and tokens on it. Raises OSError if the port is taken.

    `lag` is how many blocks the irreversible one stays behind head. Stop it with `stop`.
    """
    slot = max(1, round(block_time))
    genesis = int(time.time()) - (WARM_UP_BLOCKS + 1) * slot
    node = DevNode(Chain(seed=seed, block_time=slot, genesis=genesis, lag=lag))
    for _ in range(WARM_UP_BLOCKS):
        node.tick()
    if venue is not None:
        node.prepare(venue)
    devnet = Devnet(node, block_time=block_time, host=host, port=port, after_block=after_block)
    devnet.start()
    return devnet
