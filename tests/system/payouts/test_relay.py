"""Signatures through relays, and hostile relays: they get nothing signed and stop nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from settlement.payouts.cosign import BUNDLES_PATH, MAX_BUNDLE_BYTES, MAX_PAGE_BYTES
from settlement.payouts.cosign.message import Proposal
from settlement.payouts.cosign.relay import Limits, Relay, RelayError, parse_address
from settlement.payouts.cosign.relay_client import LIMITS, RelayClient
from settlement.payouts.signing.transactions import Key
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.payouts.operators import CHAIN_ID, KEYS, Group, Operator

POLL_SECONDS = 0.05


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    group = Group(tmp_path)
    group.rich()
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    yield group
    group.close()


@contextmanager
def running_relay(port: int = 0, limits: Limits | None = None) -> Iterator[str]:
    relay = Relay(("127.0.0.1", port), limits)
    relay.start()
    try:
        yield f"http://127.0.0.1:{relay.server_port}"
    finally:
        relay.stop()


@pytest.fixture
def relay() -> Iterator[str]:
    with running_relay() as url:
        yield url


@contextmanager
def clients(*operators: Operator, urls: list[str], total_seconds: float = 15.0) -> Iterator[None]:
    limits = LIMITS._replace(total_seconds=total_seconds)
    with ExitStack() as stack:
        for operator in operators:
            for url in urls:
                stack.enter_context(RelayClient(url, operator.collector, POLL_SECONDS, limits))
        yield


def wait_for_requests(relay: HostileRelay, count: int, what: str = "requests") -> None:
    """Wait until it was asked so many times more."""
    wanted = relay.requests + count
    wait_until(lambda: relay.requests >= wanted, what)


def weights(group: Group) -> list[int]:
    return [operator.records()[0].weight for operator in group.operators]


# -- honest relays -----------------------------------------------------------------------------------


def test_two_of_three_sign_through_a_relay(group: Group, relay: str) -> None:
    with clients(*group.operators, urls=[relay]):
        wait_until(lambda: min(weights(group)) >= 2)
    group.round()
    assert {len(signed.signatures) for signed in group.chain.sent} == {2}
    assert len({signed.id for signed in group.chain.sent}) == 1


def test_one_of_three_is_away_and_one_of_two_relays_is_dead(group: Group, relay: str) -> None:
    first, second, _ = group.operators
    dead = f"http://127.0.0.1:{free_port()}"
    with clients(first, second, urls=[dead, f"{relay}/"]):
        wait_until(lambda: weights(group)[:2] == [2, 2])
    assert weights(group) == [2, 2, 1]


def test_a_signature_that_comes_too_early_is_checked_again(group: Group, relay: str) -> None:
    first, second, _ = group.operators
    with clients(first, second, urls=[relay]):
        wait_until(lambda: weights(group)[:2] == [2, 2])
        group.block(group.world.action("bob", "withdraw", symbol="HBD", quantity="7.000"))
        group.block(seconds=15)
        first.runner.round()  # the second has not signed it yet
        wait_until(lambda: len(requests.get(relay + BUNDLES_PATH, timeout=60).json()["bundles"]) >= 3)
        second.runner.round()
        wait_until(lambda: [operator.records()[-1].weight for operator in (first, second)] == [2, 2])


def test_after_a_restart_of_the_relay_bundles_are_posted_again(group: Group) -> None:
    first, second, _ = group.operators
    port = free_port()
    with clients(first, urls=[f"http://127.0.0.1:{port}"]):
        with running_relay(port) as url:
            wait_until(lambda: requests.get(url + BUNDLES_PATH, timeout=60).json()["bundles"])
        with running_relay(port) as url, clients(second, urls=[url]):
            wait_until(lambda: weights(group)[:2] == [2, 2])


def test_many_payments(group: Group, relay: str) -> None:
    for number in range(6):
        group.block(group.world.action("bob", "withdraw", symbol="HBD", quantity=f"{number + 1}.500"))
    group.block(seconds=15)
    group.round()
    first, second, _ = group.operators
    with clients(first, second, urls=[relay]):
        wait_until(lambda: all(record.weight == 2 for record in (*first.records(), *second.records())))
    assert len(first.records()) == 7


# -- messages to a relay -----------------------------------------------------------------------------


def test_what_a_relay_stores_and_returns(relay: str) -> None:
    url = relay + BUNDLES_PATH
    assert requests.post(url, data=b'{"a": [1, "\xc3\xa9"]}', timeout=60).json() == {"number": 1}
    assert requests.post(url, json={"b": 2}, timeout=60).json() == {"number": 2}
    assert requests.post(url, json={"b": 2}, timeout=60).json() == {"number": 2}
    page = requests.get(url, timeout=60).json()
    assert (page["last"], page["bundles"]) == (2, [{"a": [1, "é"]}, {"b": 2}])
    page = requests.get(f"{url}?after=1", timeout=60).json()
    assert (page["last"], page["bundles"]) == (2, [{"b": 2}])


BAD_REQUESTS: list[tuple[str, str, bytes | None, int]] = [
    ("POST", "/", b"{}", 404),
    ("POST", BUNDLES_PATH + "/more", b"{}", 404),
    ("POST", BUNDLES_PATH, b"", 400),
    ("POST", BUNDLES_PATH, b"not json", 400),
    ("POST", BUNDLES_PATH, b"[" * 60_000, 400),
    ("POST", BUNDLES_PATH, b"\xff\xfe", 400),
    ("POST", BUNDLES_PATH, b"[]", 400),
    ("POST", BUNDLES_PATH, b'{"a": NaN}', 400),
    ("POST", BUNDLES_PATH, b'{"a": "' + "é".encode() * 30_000 + b'"}', 400),
    ("POST", BUNDLES_PATH, b" " * (MAX_BUNDLE_BYTES + 1), 413),
    ("GET", "/", None, 404),
    ("GET", BUNDLES_PATH + "?after=-1", None, 400),
    ("GET", BUNDLES_PATH + "?after=" + "9" * 100, None, 400),
    ("DELETE", BUNDLES_PATH, None, 501),
]


def test_bad_requests_are_refused(relay: str) -> None:
    for method, path, body, status in BAD_REQUESTS:
        answer = requests.request(method, f"{relay}{path}", data=body, timeout=60)
        assert answer.status_code == status, (method, path, body and body[:20])
    assert requests.get(relay + BUNDLES_PATH, timeout=60).json()["bundles"] == []


@pytest.mark.parametrize("header", [b"Transfer-Encoding: chunked", b"Content-Length: " + b"9" * 5000])
def test_a_body_without_a_usable_length_is_not_read(relay: str, header: bytes) -> None:
    host, port = relay.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"POST /bundles HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert b" 413 " in connection.recv(100)


def test_silent_and_slow_connections_are_closed_and_others_served() -> None:
    limits = Limits(max_connections=8, connection_seconds=0.3)
    with running_relay(limits=limits) as url, ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        idle = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(30)]
        for connection in idle[:8]:
            with suppress(OSError):
                connection.sendall(b"POST /bundles HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")

        def is_served() -> bool:
            try:
                return requests.get(url + BUNDLES_PATH, timeout=60).status_code == 200
            except requests.ConnectionError:
                return False

        wait_until(is_served)
        for connection in idle:
            with suppress(ConnectionResetError):
                connection.recv(1)

        slow = stack.enter_context(socket.create_connection(address, timeout=60))
        slow.sendall(b"POST /bundles HTTP/1.1\r\nContent-Length: 60000\r\n\r\n")

        def is_closed() -> bool:
            try:
                slow.sendall(b" ")  # never silent for long, and would never end
            except OSError:
                return True
            return False

        wait_until(is_closed)


@pytest.mark.parametrize("text", ["8095", ":8095", "host:", "host:x", "host:70000", "host:-1", ""])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(RelayError, match="is not an address"):
        parse_address(text)


def test_addresses() -> None:
    assert parse_address("[::1]:8095") == ("::1", 8095)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RelayError, match="cannot listen on"):
        Relay(("127.0.0.1", taken.getsockname()[1]))


def test_the_relay_process_loads_no_code_that_holds_keys() -> None:
    program = (
        "import sys, indexer.cli, settlement.payouts.cosign.relay\n"
        "print([name for name in sys.modules if name.startswith(('settlement.payouts', 'beem'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(
        ["settlement.payouts", "settlement.payouts.cosign", "settlement.payouts.cosign.relay"]
    )


# -- a hostile relay ---------------------------------------------------------------------------------


class HostileRelay:
    """Answers with `body`, and keeps what is posted."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        self.pause_seconds = 0.0  # between bytes
        self.requests = 0
        self.posted: list[bytes] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(hostile) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hostile.requests += 1
                self.send_response(hostile.status)
                for name, value in hostile.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):
                    if not hostile.pause_seconds:
                        self.wfile.write(hostile.body)
                        return
                    for byte in hostile.body:
                        self.wfile.write(bytes((byte,)))
                        time.sleep(hostile.pause_seconds)

            def do_POST(self) -> None:
                hostile.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def hostile() -> Iterator[HostileRelay]:
    relay = HostileRelay()
    thread = threading.Thread(target=relay.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield relay
    relay.server.shutdown()
    relay.server.server_close()


def page(*bundles: object, relay: object = "r", last: object = 1) -> bytes:
    return json.dumps({"relay": relay, "last": last, "bundles": bundles}).encode()


def by_a_stranger(proposal: Proposal) -> Proposal:
    return replace(proposal, signatures=(Key(KEYS[3].wif).sign(proposal.transaction, CHAIN_ID),))


def to_a_thief(proposal: Proposal, number: int) -> Proposal:
    """Another payment with an operator's valid signature."""
    [(name, value)] = proposal.transaction.operations
    forged = replace(proposal.transaction, operations=((name, {**value, "to": "thief"}),))
    return replace(proposal, transaction=forged, signatures=(Key(KEYS[number].wif).sign(forged, CHAIN_ID),))


def test_garbage_changes_nothing_and_stops_nothing(
    group: Group, hostile: HostileRelay, relay: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, _ = group.operators
    [honest] = second.proposals()
    before = first.records()
    answers: list[dict[str, Any]] = [
        {"body": b"<html>502 Bad Gateway</html>", "status": 502},
        *({"body": body} for body in (b"", b"null", b"{}", b"[" * 100_000, b"\xff\xfe", b"9" * 5000)),
        {"body": b" " * (MAX_PAGE_BYTES * 3)},
        {"body": page(relay=5)},
        {"body": page(relay="x" * 1000)},
        {"body": page(last="5")},
        {"body": page(last=-1)},
        {"body": page(*[{}] * 1001)},
        {"body": page(None, 5, [], {}, {"peakedex_cosign": 1}, "\x1b[31m\nred")},
        {"body": page({**honest.to_json(), "signatures": ["00"] * 41})},
        {"body": page({**honest.to_json(), "signatures": ["00" * 65]})},
        {"body": page(by_a_stranger(honest).to_json())},
        {"body": page(replace(honest, chain_id="\x1b[31m").to_json())},
        {"body": page(to_a_thief(honest, 1).to_json())},
        {"body": b"", "status": 307, "headers": {"Location": relay + BUNDLES_PATH}},
    ]
    with caplog.at_level("INFO"), clients(first, urls=[hostile.url]):
        for answer in answers:
            hostile.status, hostile.headers = 200, {}
            for name, value in answer.items():
                setattr(hostile, name, value)
            wait_for_requests(hostile, 2, what=str(answer)[:200])
            assert first.records() == before, str(answer)[:200]
        with clients(first, second, urls=[relay]):  # another relay works all the while
            wait_until(lambda: weights(group)[:2] == [2, 2])
    assert "\x1b" not in caplog.text
    assert "relay fails" in caplog.text
    assert "(other_recipient): " in caplog.text


def test_a_slow_relay_delays_nothing_else(group: Group, hostile: HostileRelay, relay: str) -> None:
    first, second, _ = group.operators
    hostile.body, hostile.pause_seconds = b" " * 10_000, 0.1
    with clients(first, second, urls=[hostile.url, relay], total_seconds=0.5):
        wait_until(lambda: weights(group)[:2] == [2, 2])
        group.round()
        wait_until(lambda: hostile.requests >= 4)  # given up and asked again
    assert len({signed.id for signed in group.chain.sent}) == 1


def test_replayed_bundles_count_once(group: Group, hostile: HostileRelay) -> None:
    """The same bundle many times, under new numbers and from a relay that seems to restart."""
    first, second, _ = group.operators
    [honest] = second.proposals()
    with clients(first, urls=[hostile.url]):
        for turn in range(4):
            hostile.body = page(*[honest.to_json()] * 20, relay=f"r{turn % 2}", last=20 * (turn + 1))
            wait_for_requests(hostile, 4)
    assert [record.weight for record in first.records()] == [2]
    group.round()
    group.block(seconds=3)
    group.round()
    assert len({signed.id for signed in group.chain.sent}) == 1
    assert {len(signed.signatures) for signed in group.chain.sent} == {2}


def test_what_is_posted_is_the_payment_alone(group: Group, hostile: HostileRelay) -> None:
    first = group.operators[0]
    hostile.body = page()
    with clients(first, urls=[hostile.url]):
        wait_until(lambda: hostile.posted)
    assert Proposal.of_json(json.loads(hostile.posted[0])) == first.proposals()[0]
    assert first.key.wif.encode() not in b"".join(hostile.posted)
