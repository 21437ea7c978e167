"""A real server: it answers, it stops at once, and says in one line why it cannot start."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.server import ServeError, listen, serve
from api.settings import ApiSettings
from settlement.store.database import StoreError
from tests.api.world import World

RUN = """
import sys
from pathlib import Path
from api.server import serve
from api.settings import ApiSettings
serve(ApiSettings(database_url=sys.argv[1], network="devnet"), port=int(sys.argv[2]), workers=2, threads=4)
raise SystemExit("serve came back")
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start(world: World, port: int) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, world.url, str(port)], cwd=root, stderr=subprocess.PIPE, text=True
    )


def ask(port: int, path: str, within: float = 20) -> http.client.HTTPResponse:
    end = time.monotonic() + within
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            return connection.getresponse()
        except ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_at_once(world: World, sent: signal.Signals) -> None:
    port = free_port()
    process = start(world, port)
    try:
        answer = ask(port, "/api/health")
        assert answer.status == 200
        assert json.loads(answer.read())["block"] == world.block
        held = socket.create_connection(("127.0.0.1", port))  # a client that says nothing holds up nothing
        time.sleep(0.5)  # gunicorn forks its workers a moment apart; a signal in that moment gets lost
        asked = time.monotonic()
        process.send_signal(sent)
        process.wait(10)
        assert time.monotonic() - asked < 2.5
        held.close()
        assert process.returncode == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()


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
    with pytest.raises(StoreError, match="not supported"):
        serve(ApiSettings(database_url="mysql://db"))
