"""Clients that dawdle, say nothing or send garbage cost no thread for long; they are told what is wrong."""

from __future__ import annotations

import http.client
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gunicorn.config import Config

from api.worker import PatientSocket, Worker
from tests.support.ports import free_port
from tests.system.api.test_server import ask
from tests.system.api.world import World

RUN = """
import sys
from api import worker
from api.server import serve
from api.settings import ApiSettings
worker.PatientSocket.seconds = 0.5
serve(ApiSettings(database_url=sys.argv[1], network="devnet", threads=2, streams=0), port=int(sys.argv[2]), workers=1)
"""


@pytest.fixture(scope="module")
def port(world: World) -> Iterator[int]:
    """A server of one process with two threads, which gives each request half a second."""
    port = free_port()
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, world.url, str(port)], cwd=root, stderr=subprocess.PIPE, text=True
    )
    try:
        assert ask(port, "/api/health").status == 200
        yield port
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()


def is_quick(port: int, within: float) -> bool:
    started = time.monotonic()
    assert ask(port, "/api/pairs").status == 200
    return time.monotonic() - started < within


def connect(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(sent)
    return client


def send_in_drops(client: socket.socket, data: bytes) -> None:
    for letter in data:
        client.sendall(bytes([letter]))
        time.sleep(0.05)


def test_silent_clients_hold_no_thread(port: int) -> None:
    silent = [connect(port) for _ in range(40)]
    assert is_quick(port, 8)
    for client in silent:
        client.close()


def test_half_a_request_is_waited_for_only_so_long(port: int) -> None:
    slow = [connect(port, b"GET /api/pairs HTTP/1.1\r\nHost: x\r\n") for _ in range(6)]
    assert is_quick(port, 8)
    for client in slow:
        assert client.recv(100) == b""  # closed by the server
        client.close()


def test_a_request_in_drops_is_cut_off(port: int) -> None:
    client = connect(port)
    started = time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_in_drops(client, b"GET /api/pairs HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 1000)
    assert time.monotonic() - started < 20
    client.close()


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"HELLO\r\n\r\n", 400, "E_INPUT"),
        (b"GET /api/pairs HTTP/9.9\r\n\r\n", 400, "E_INPUT"),
        (b"GET /api/pairs HTTP/1.1\r\nno colon\r\n\r\n", 400, "E_INPUT"),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 5000), 414, "E_ADDRESS"),
        (b"GET / HTTP/1.1\r\n%s\r\n" % b"".join(b"A%d: x\r\n" % n for n in range(150)), 431, "E_HEADERS"),
        (b"GET / HTTP/1.1\r\nA: %s\r\n\r\n" % (b"x" * 9000), 431, "E_HEADERS"),
    ],
)
def test_what_is_no_request_is_told_so(port: int, sent: bytes, status: int, code: str) -> None:
    client = connect(port, sent)
    answer = http.client.HTTPResponse(client)
    answer.begin()
    body = json.loads(answer.read())
    assert (answer.status, body["status"], body["code"], body["ok"]) == (status, status, code, False)
    assert answer.headers["Content-Type"] == "application/problem+json"
    client.close()


def test_a_body_is_not_waited_for(port: int) -> None:
    """Nothing here takes one: the refusal comes at once, and the connection ends with what it left unsaid."""
    client = connect(port, b"POST /api/pairs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
    answer = http.client.HTTPResponse(client)
    started = time.monotonic()
    answer.begin()
    assert (answer.status, json.loads(answer.read())["code"]) == (405, "E_METHOD")
    assert time.monotonic() - started < 8
    client.close()
    assert is_quick(port, 8)


# ---------------------------------------------------------------- the socket alone


@pytest.fixture
def pair() -> Iterator[tuple[PatientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    patient = PatientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
    patient.seconds = 1.0
    patient.setblocking(True)
    yield patient, theirs
    patient.close()
    theirs.close()


def test_a_client_that_takes_nothing_is_left(pair: tuple[PatientSocket, socket.socket]) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectionResetError, match="too slow"):
        pair[0].sendall(b"x" * 50_000_000)
    assert 0.9 < time.monotonic() - started < 20


def test_a_client_that_takes_its_time_gets_all(pair: tuple[PatientSocket, socket.socket]) -> None:
    """Longer than the limit in all, but never idle for as long."""
    patient, client = pair
    size, taken = 1_000_000, []

    def take() -> None:
        while len(b"".join(taken)) < size:
            taken.append(client.recv(50_000))
            time.sleep(0.08)

    reader = threading.Thread(target=take)
    reader.start()
    patient.sendall(b"x" * size)
    reader.join(60)
    assert b"".join(taken) == b"x" * size


def test_the_clock_starts_anew_with_each_request(pair: tuple[PatientSocket, socket.socket]) -> None:
    patient, client = pair
    for _ in range(3):
        time.sleep(0.4)
        patient.setblocking(True)
        client.sendall(b"x")
        assert patient.recv(10) == b"x"
    with pytest.raises(ConnectionResetError, match="too slow"):
        patient.recv(10)
    patient.setblocking(False)
    with pytest.raises(BlockingIOError):
        patient.recv(10)


def test_a_signal_in_the_midst_of_taking_on_work_ends_the_process() -> None:
    """The work that is interrupted holds the pool's lock, and goes on only after the signal's handler."""
    worker = Worker(1, 1, [], None, 30, Config(), logging.getLogger())
    ended = threading.Event()

    def interrupted() -> None:
        with worker.tpool._shutdown_lock, pytest.raises(SystemExit):
            worker.handle_quit(signal.SIGQUIT, None)
        ended.set()

    with ThreadPoolExecutor() as pool:
        worker.tpool = pool
        threading.Thread(target=interrupted, daemon=True).start()
        assert ended.wait(30), "it waits for itself"
