"""The bounded HTTP client and JSON-RPC against a server that misbehaves."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from settlement.net.http_client import (
    AnswerTooLarge,
    BadAnswer,
    HttpClient,
    HttpError,
    Limits,
    NoAnswer,
    StatusError,
)
from settlement.net.json_rpc import JsonRpcClient, RpcError

LIMITS = Limits(connect_seconds=60.0, read_seconds=60.0, max_bytes=100_000)
SHORT = LIMITS._replace(read_seconds=0.5, total_seconds=1.0)
TOO_SLOW = ("silent", "trickle", "slow_headers", "slow_chunks")


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        Server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):  # the client gives up
            getattr(self, self.path.strip("/"))()

    def do_HEAD(self) -> None:
        self.answer(b"", X_State_Hash="ab", Content_Length="1000")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        replies = {
            "echo": {"id": request["id"], "result": request["params"]},
            "error": {"error": {"message": "no\nsuch \x1b[2J method", "code": -32601, "data": {}}},
            "other id": {"id": -1, "result": 1},
            "empty": {"id": request["id"]},
        }
        reply = replies.get(request["method"])
        self.answer(b"<html>" if reply is None else json.dumps(reply).encode())

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def small(self) -> None:
        self.answer(b"small")

    def large(self) -> None:
        self.answer(b"x" * 100_001)

    def bomb(self) -> None:
        self.answer(gzip.compress(b"x" * 1_000_000), Content_Encoding="gzip")

    def packed(self) -> None:
        self.answer(gzip.compress(b"x" * 90_000), Content_Encoding="gzip")

    def busy(self) -> None:
        self.answer(b"", 429, Retry_After="7")

    def redirect(self) -> None:
        self.answer(b"", 302, Location="/small")

    def cut(self) -> None:
        self.answer(b"x", Content_Length="1000")
        self.close_connection = True

    def silent(self) -> None:
        self.answer(b"x", Content_Length="1000")
        time.sleep(100)

    def trickle(self) -> None:
        self.answer(b"", Content_Length="1000")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)

    def slow_headers(self) -> None:
        for letter in b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 1000:
            self.wfile.write(bytes([letter]))
            time.sleep(0.05)

    def slow_chunks(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            for letter in b"1\r\nx\r\n":
                self.wfile.write(bytes([letter]))
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_answers_come_over_one_connection(url: str) -> None:
    http = HttpClient(LIMITS)
    before = Server.connections
    assert http.get(f"{url}/small").body == b"small"
    assert http.get(f"{url}/packed").body == b"x" * 90_000
    assert http.head(f"{url}/small").headers["x-state-hash"] == "ab"
    assert Server.connections == before + 1
    http.close()


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("large", AnswerTooLarge, "longer than 100000 bytes"),
        ("bomb", AnswerTooLarge, "longer than 100000 bytes"),
        ("busy", StatusError, "HTTP status 429"),
        ("redirect", StatusError, "HTTP status 302"),
        ("cut", NoAnswer, "the connection broke off"),
        ("silent", NoAnswer, "no answer in time"),
        ("trickle", NoAnswer, "no answer in time"),
        ("slow_headers", NoAnswer, "no answer in time"),
        ("slow_chunks", NoAnswer, "no answer in time"),
    ],
)
def test_each_failure_is_one_error_with_its_reason(
    url: str, path: str, kind: type[HttpError], reason: str
) -> None:
    began = time.monotonic()
    with pytest.raises(kind) as failed:
        HttpClient(SHORT if path in TOO_SLOW else LIMITS).get(f"{url}/{path}")
    assert str(failed.value) == f"{url}/{path}: {failed.value.reason}"
    assert reason in failed.value.reason
    assert failed.value.retry_after == (7.0 if path == "busy" else None)
    assert time.monotonic() - began < 40  # the server takes 50 seconds and more, the deadline is one


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "ftp://host/", "http://[/", "http://a..b/"])
def test_an_address_without_a_server_is_no_answer(address: str) -> None:
    with pytest.raises(NoAnswer):
        HttpClient(LIMITS).get(address)


def test_json_rpc(url: str) -> None:
    client = JsonRpcClient(url, LIMITS)
    assert client.call("echo", [1, 2], list[int]) == [1, 2]
    assert client.call("echo", {"a": None}, object) == {"a": None}
    with pytest.raises(RpcError) as refused:
        client.call("error", {}, object)
    assert (refused.value.code, refused.value.message) == (-32601, "no such  [2J method")
    for method, result_type, reason in (
        ("html", object, "not JSON: <html>"),
        ("echo", list[int], "Expected `array`"),
        ("other id", int, "another request"),
        ("empty", int, "without a result"),
    ):
        with pytest.raises(BadAnswer, match=reason):
            client.call(method, "text", result_type)
    client.close()
