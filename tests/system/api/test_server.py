"""A real server: responses, shutdown, and one-line errors at start."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from api.server import listen, serve
from api.settings import ApiSettings, ServeError
from settlement.store.database import StoreError
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.api.world import World
from tests.system.cli.command import MISUSED, peakedex

RUN = """
import sys
from pathlib import Path
from api.server import serve
from api.settings import ApiSettings
settings = ApiSettings(
    database_url=sys.argv[1], network="devnet", threads=4, streams=2, hive_nodes=tuple(sys.argv[3:])
)
serve(settings, port=int(sys.argv[2]), workers=2)
raise SystemExit("serve came back")
"""


def start(world: World, port: int, *nodes: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", RUN, world.url, str(port), *nodes]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)


def ask(port: int, path: str) -> http.client.HTTPResponse:
    def answer() -> http.client.HTTPResponse | None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", path)
            return connection.getresponse()
        except ConnectionError:
            return None  # the server is starting

    return wait_until(answer, what=f"an answer to GET {path}")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_at_once(world: World, sent: signal.Signals) -> None:
    port = free_port()
    process = start(world, port)
    try:
        answer = ask(port, "/api/health")
        assert answer.status == 200
        assert json.loads(answer.read())["block"] == world.block
        held = socket.create_connection(("127.0.0.1", port))  # a client that says nothing holds up nothing
        wait_until(lambda: [is_serving(pid) for pid in workers_of(process.pid)] == [True, True])
        process.send_signal(sent)
        assert process.wait(240) == 0
        held.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""  # a worker that does not end by itself is killed, and reported
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_while_its_workers_start(world: World, sent: signal.Signals) -> None:
    process = start(world, free_port())
    try:
        wait_until(lambda: workers_of(process.pid))
        process.send_signal(sent)
        assert process.wait(240) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()


def test_every_process_tells_what_all_were_asked(world: World) -> None:
    """Two processes share the connections; a third takes the place, and the counts, of one that is killed."""
    port = free_port()
    process = start(world, port)
    try:
        for _ in range(30):
            assert ask(port, "/api/pairs").status == 200  # each over a connection of its own
        killed = workers_of(process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(set(workers_of(process.pid)) - {killed}) == 2)
        for _ in range(10):
            ask(port, "/api/pairs?x=1")
        seen = [ask(port, "/metrics").read().decode() for _ in range(8)]
        for text in seen:
            assert 'peakedex_http_requests_total{path="/api/pairs",status="200"} 30.0' in text
            assert 'peakedex_http_requests_total{path="/api/pairs",status="400"} 10.0' in text
            assert 'peakedex_http_request_seconds_count{path="/api/pairs"} 40.0' in text
    finally:
        process.kill()
        process.wait()


def test_the_command_takes_its_settings(world: World) -> None:
    """Logs as JSON, the access log, the limit: as an operator asks for them."""
    port = free_port()
    options = ("--access-log", "on", "--log-format", "json", "--rate-limit", "2/minute", "--workers", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer.cli", "serve", "--db", world.url, "--port", str(port), *options],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ask(port, "/api/health")
        answers = [ask(port, "/api/pairs") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in errors.splitlines()]
    seen = [line for line in lines if line["logger"] == "peakedex.access"]
    assert [line["status"] for line in seen] == [200, 200, 200, 429]
    assert [line["request"] for line in seen[1:]] == [answer.headers["X-Request-Id"] for answer in answers]
    assert all(line["level"] == "info" and line["ts"] and line["message"] for line in lines)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--rate-limit", "many", "rate_limit: 'many' is not a limit"),
        ("--limit-store", "redis://localhost", "limit_store: 'redis://localhost' cannot be used"),
        ("--trusted-proxy", "proxy", "trusted_proxies: 'proxy' does not appear to be"),
        ("--cors-origin", "*", "cors_origins: '*' is not an origin"),
        ("--practice-node", "http://x", "--practice-node requires --network devnet"),
        (
            "--host",
            "no host",
            "cannot listen on no host port 8080: no address of this machine. Correct --host",
        ),
        ("--host", "192.0.2.1", "cannot listen on 192.0.2.1 port 8080: no address of this machine"),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_one_line(
    world: World, option: str, value: str, words: str
) -> None:
    run = peakedex("serve", "--db", world.url, option, value)
    assert run.code == MISUSED
    assert run.complaint.startswith(f"Error: {words}")


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in children.split()]


def is_serving(pid: int) -> bool:
    """Whether a worker waits for connections."""
    try:
        watched = [each.read_text("ascii") for each in Path(f"/proc/{pid}/fdinfo").iterdir()]
    except OSError:
        return False  # it opened or closed something meanwhile
    return any("tfd:" in each for each in watched)


def test_a_silent_hive_node_makes_no_other_path_slow(world: World) -> None:
    """As many ask for accounts as the server has threads, and more: a pair is told before any of them gives up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = free_port()
        process = start(world, port, f"http://127.0.0.1:{silent.getsockname()[1]}")
        names = count()
        try:
            ask(port, "/api/health").read()
            wait_until(lambda: is_told_before_a_silent_node_is_given_up(port, names))
        finally:
            process.kill()
            process.wait()


def is_told_before_a_silent_node_is_given_up(port: int, names: Iterator[int]) -> bool:
    """False also where the machine was too slow to tell."""
    given_up: list[float] = []

    def ask_for_an_account(path: str) -> None:
        started = time.monotonic()
        ask(port, path)
        if (
            time.monotonic() - started > 1.4
        ):  # a node is given 1.5 seconds; those who need not wait for it do not count
            given_up.append(time.monotonic())

    paths = [f"/api/validate_account?username=name{next(names)}" for _ in range(24)]
    asking = [threading.Thread(target=ask_for_an_account, args=(path,)) for path in paths]
    for thread in asking:
        thread.start()
    for _ in range(5):
        assert ask(port, "/api/pairs").status == 200
    told = time.monotonic()
    for thread in asking:
        thread.join()
    return bool(given_up) and told < min(given_up)


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError) as refused:
            listen("127.0.0.1", port)
    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Stop what uses it, or choose another --port"
    )


@pytest.mark.parametrize(
    ("host", "port"), [("203.0.113.1", 8080), ("127.0.0.1", 70_000), ("no such host", 80)]
)
def test_an_address_that_cannot_be_had(host: str, port: int) -> None:
    with pytest.raises(ServeError) as refused:
        listen(host, port)
    assert "\n" not in str(refused.value)


def test_a_url_that_is_none_is_refused_before_anything_starts() -> None:
    with pytest.raises(StoreError, match="unsupported database"):
        serve(ApiSettings(database_url="mysql://db"))
