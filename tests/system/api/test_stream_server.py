"""The stream of a real server: several processes, few threads, clients that come and go."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.api.mirror import Mirror, Reading, snapshot
from tests.system.api.world import World, small_world

RUN = """
import sys, json
from api.server import serve
from api.settings import ApiSettings
url, port, workers, settings = sys.argv[1:]
serve(ApiSettings(database_url=url, network="devnet", **json.loads(settings)), port=int(port), workers=int(workers))
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = small_world(tmp_path)
    yield world
    world.close()


@contextmanager
def server(world: World, port: int, workers: int = 1, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RUN, world.url, str(port), str(workers), json.dumps(settings)]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: answers(port))
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return ask(port, "/api/health")[0] == 200
    except OSError:
        return False


def ask(port: int, path: str) -> tuple[int, http.client.HTTPMessage, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers, json.loads(response.read())
    finally:
        connection.close()


class Stream(Reading):
    """A stream over HTTP."""

    def __init__(self, port: int, topics: str, last: str | None = None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.connect()
        self._socket = connection.sock
        connection.request(
            "GET", f"/api/stream?topics={topics}", headers={} if last is None else {"Last-Event-ID": last}
        )
        response = connection.getresponse()
        assert response.status == 200, response.read()
        super().__init__(iter(response.readline, b""), connection.close)

    def leave(self) -> None:
        """Hang up at once."""
        self._socket.shutdown(socket.SHUT_RDWR)


def trade(world: World) -> None:
    world.apply(world.order("alice", "sell", "10", "0.0119"), world.order("bob", "buy", "4", "0.0119"))


def test_two_processes_and_a_restart(world: World) -> None:
    """Six clients of two processes hear the same; they are let go at once; another server goes on."""
    port, topics = free_port(), "book,trades,account:bob"
    mirrors = [Mirror() for _ in range(6)]
    with server(world, port, workers=2) as process:
        streams = [Stream(port, topics) for _ in mirrors]
        for _ in range(5):
            trade(world)
        for mirror, stream in zip(mirrors, streams, strict=True):
            mirror.follow(stream, 16)
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
        for stream in streams:
            stream.rest()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    trade(world)
    with server(world, port, workers=2):
        streams = [Stream(port, topics, mirror.last) for mirror in mirrors]
        trade(world)
        now = snapshot(world.client(), topics).picture()
        for mirror, stream in zip(mirrors, streams, strict=True):
            mirror.follow(stream, 18)
            assert mirror.resets == 0
            assert mirror.picture() == now


def test_streams_never_starve_plain_requests(world: World) -> None:
    """All streams taken, and more asked for again and again: the one plain thread answers at once."""
    port = free_port()
    with server(world, port, threads=1, streams=4), ExitStack() as held:
        for _ in range(4):
            stream = Stream(port, "block")
            held.callback(stream.leave)
            stream.expect("snapshot")
        for _ in range(20):
            status, headers, body = ask(port, "/api/stream?topics=block")
            assert (status, body["code"], headers["Retry-After"]) == (503, "E_STREAMS", "10")
            assert ask(port, "/api/pairs")[0] == 200


def test_a_client_that_leaves_is_noticed(world: World) -> None:
    """When something is told, whoever has hung up gives room to the next."""
    port = free_port()
    with server(world, port, threads=1, streams=1):
        for _ in range(3):
            streams: list[Stream] = []
            wait_until(lambda: opened(world, port, streams))  # noqa: B023
            streams[0].expect("snapshot")
            assert ask(port, "/api/stream?topics=book")[0] == 503
            streams[0].leave()


def opened(world: World, port: int, streams: list[Stream]) -> bool:
    trade(world)
    try:
        streams.append(Stream(port, "book"))
    except AssertionError:
        return False
    return True
