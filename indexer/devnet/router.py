"""Request routing of a node server: Hive at `/`, sidechain at `/engine`, control calls at `/dev`."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from typing import Final, NamedTuple

from indexer.devnet.faults import HTML_429, HTML_502, HTML_503, LOCK_ERROR, Faults
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.block_methods import BlockMethods
from indexer.devnet.rpc.dev_methods import DevMethods
from indexer.devnet.rpc.json_rpc import Dispatcher, Method, SidechainDispatcher
from indexer.devnet.rpc.sidechain_methods import SidechainMethods
from indexer.devnet.rpc.signing_methods import SigningMethods
from indexer.devnet.rpc.state_methods import StateMethods

SILENCE_SECONDS: Final = 3600
JSON: Final = "application/json"
HTML: Final = "text/html"


class Reply(NamedTuple):
    """An HTTP response. A body of None closes the connection without a response."""

    status: int
    body: bytes | None
    content_type: str = JSON


def hive_methods(node: DevNode) -> dict[str, dict[str, Method]]:
    """All methods of the Hive node, by api and name."""
    tables: dict[str, dict[str, Method]] = {}
    for source in (BlockMethods(node).tables(), StateMethods(node).tables(), SigningMethods(node).tables()):
        for api, methods in source.items():
            tables.setdefault(api, {}).update(methods)
    names = sorted(f"{api}.{name}" for api, methods in tables.items() for name in methods)
    tables["jsonrpc"] = {"get_methods": lambda _: names}
    return tables


class Router:
    """Answers requests by path, with the faults of one server."""

    def __init__(self, node: DevNode, faults: Faults, closing: threading.Event) -> None:
        self._node = node
        self._faults = faults
        self._closing = closing
        self._hive = Dispatcher(hive_methods(node))
        sidechain = SidechainMethods(node, faults)
        self._blockchain = SidechainDispatcher(sidechain.blockchain())
        self._contracts = SidechainDispatcher(sidechain.contracts())
        self._dev = DevMethods(node, faults)

    def post(self, path: str, body: bytes) -> Reply:
        """Answer a POST."""
        match path.rstrip("/"):
            case "" | "/rpc":
                return self._answer_hive(body)
            case "/engine/blockchain":
                return self._answer_sidechain(self._blockchain, body)
            case "/engine/contracts":
                return self._answer_sidechain(self._contracts, body)
            case dev if dev.startswith("/dev/"):
                return self._answer_dev(dev.removeprefix("/dev/"), body)
        return Reply(HTTPStatus.NOT_FOUND, b'{"error":"no such path"}')

    def get(self, path: str) -> Reply:
        """Answer a GET: the status, or the faults."""
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
        if faults.consume("html_errors"):
            return Reply(HTTPStatus.BAD_GATEWAY, HTML_502, HTML)
        if faults.consume("too_many"):
            return Reply(HTTPStatus.TOO_MANY_REQUESTS, HTML_429, HTML)
        if faults.consume("lock_errors"):
            error = {"code": -32003, "message": LOCK_ERROR}
            return _json_reply({"jsonrpc": "2.0", "error": error, "id": _request_id(body)})
        with self._node.lock:
            answer = self._hive.answer(body)
            if faults.consume("duplicate_replies"):
                answer = self._hive.answer(body)
            head = self._node.chain.head
        if faults.consume("lost_replies"):
            return Reply(HTTPStatus.OK, None)
        if faults.distorts:
            answer = faults.distort(answer, head)
        if faults.consume("bad_json"):
            answer = answer[: len(answer) // 2]
        return Reply(HTTPStatus.OK, answer)

    def _answer_sidechain(self, dispatcher: SidechainDispatcher, body: bytes) -> Reply:
        if self._faults.engine_silent:
            self._closing.wait(SILENCE_SECONDS)
            return Reply(HTTPStatus.OK, None)
        if self._faults.engine_forked and self._node.forked_ended:
            return Reply(HTTPStatus.OK, None)
        if self._faults.engine_refuses:
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, HTML_503, HTML)
        with self._node.lock:
            answer = dispatcher.answer(body)
        if answer is None:
            error = b'{"error":"Error processing requests"}'
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, error)
        if not answer:
            return Reply(HTTPStatus.NO_CONTENT, b"")
        return Reply(
            HTTPStatus.OK, self._faults.distort_receipts(answer) if self._faults.engine_disagrees else answer
        )

    def _answer_dev(self, name: str, body: bytes) -> Reply:
        try:
            request = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            return _json_reply({"error": f"the body is not JSON: {error}"}, HTTPStatus.BAD_REQUEST)
        method = self._dev.method(name)
        if method is None or not isinstance(request, dict):
            return _json_reply({"error": f"unknown call: /dev/{name}"}, HTTPStatus.NOT_FOUND)
        try:
            with self._node.lock:
                return _json_reply(method(request))
        except (ChainError, ValueError) as error:
            return _json_reply({"error": str(error)}, HTTPStatus.BAD_REQUEST)


def _json_reply(value: object, status: int = HTTPStatus.OK) -> Reply:
    return Reply(status, json.dumps(value).encode())


def _request_id(body: bytes) -> object:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return request.get("id") if isinstance(request, dict) else None
