"""Signatures over HTTP: they arrive, whoever is silent, slow, large, hostile or a stranger."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from settlement.payouts.cosign import http as exchange
from settlement.payouts.cosign.http import MAX_BYTES, PATH, Exchange, ExchangeError, parse_address
from settlement.payouts.cosign.signatures import Proposal
from settlement.payouts.signing import Key
from tests.support.ports import free_ports
from tests.support.waiting import wait_until
from tests.system.payouts.operators import CHAIN_ID, KEYS, Group

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(exchange, "SLOWEST_ASK_SECONDS", 0.2)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    group = Group(tmp_path)
    group.rich()
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    yield group
    group.close()


def weights(group: Group) -> list[int]:
    return [operator.records()[0].weight for operator in group.operators]


def test_three_operators_find_each_other(group: Group) -> None:
    ports = free_ports(3)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with ExitStack() as stack:
        for number, operator in enumerate(group.operators):
            peers = [*urls[:number], *urls[number + 1 :]]
            stack.enter_context(Exchange(operator.desk, f"127.0.0.1:{ports[number]}", peers))
        wait_until(lambda: min(weights(group)) >= 2)
    group.round()
    assert {len(signed.signatures) for signed in group.chain.sent} == {2}
    assert len({signed.id for signed in group.chain.sent}) == 1


def test_one_of_three_is_away_and_one_only_asks(group: Group) -> None:
    """The first listens to nobody and asks; the second only answers; the third is dead."""
    first, second, _ = group.operators
    [dead] = free_ports(1)
    with Exchange(second.desk, "127.0.0.1:0", []) as answering:
        peers = [f"http://127.0.0.1:{dead}", f"http://127.0.0.1:{answering.port}/"]
        with Exchange(first.desk, None, peers):
            wait_until(lambda: weights(group)[:2] == [2, 2])
    assert weights(group) == [2, 2, 1]


def test_it_is_nothing_where_nothing_is_named(group: Group) -> None:
    before = threading.active_count()
    with Exchange(group.operators[0].desk, None, []) as nothing:
        assert (threading.active_count(), nothing.port) == (before, 0)


def test_a_paused_or_slow_operator_is_asked_again(group: Group) -> None:
    first, second, _ = group.operators
    group.block(*[group.world.action("bob", "withdraw", symbol="HBD", quantity="7.000")])
    group.block(seconds=15)
    first.runner.round()  # the second has not looked yet
    with ExitStack() as stack:
        answering = stack.enter_context(Exchange(second.desk, "127.0.0.1:0", []))
        stack.enter_context(Exchange(first.desk, None, [f"http://127.0.0.1:{answering.port}"]))
        wait_until(lambda: first.records()[0].weight == 2)
        assert first.records()[1].weight == 1
        second.runner.round()
        wait_until(lambda: first.records()[1].weight == 2)


def test_a_peer_that_takes_two_messages_a_second_gets_to_all(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_A_SECOND", 2)
    for number in range(5):
        group.block(group.world.action("bob", "withdraw", symbol="HBD", quantity=f"{number + 1}.500"))
    group.block(seconds=15)
    first, second, _ = group.operators
    first.runner.round()
    assert len(first.records()) == 6
    second.runner.round()
    with ExitStack() as stack:
        answering = stack.enter_context(Exchange(second.desk, "127.0.0.1:0", []))
        stack.enter_context(Exchange(first.desk, None, [f"http://127.0.0.1:{answering.port}"]))
        wait_until(lambda: all(record.weight == 2 for record in first.records()))


# -- messages to the server -----------------------------------------------------------------------


@pytest.fixture
def url(group: Group) -> Iterator[str]:
    with Exchange(group.operators[0].desk, "127.0.0.1:0", []) as answering:
        yield f"http://127.0.0.1:{answering.port}"


def test_what_it_answers(group: Group, url: str) -> None:
    [proposal] = group.operators[1].proposals()
    answer = requests.post(f"{url}{PATH}", json=proposal.to_json(), timeout=60)
    assert answer.status_code == 200
    assert answer.json()["status"] == "taken"
    assert len(answer.json()["signatures"]) == 2
    stranger = replace(proposal, signatures=(Key(KEYS[3].wif).sign(proposal.transaction, CHAIN_ID),))
    answer = requests.post(f"{url}{PATH}", json=stranger.to_json(), timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (409, "stranger")
    assert answer.json()["signatures"] == []
    assert weights(group)[0] == 2


NO_MESSAGES: list[tuple[str, str, bytes | None, int]] = [
    ("POST", "/", b"{}", 404),
    ("POST", PATH + "/more", b"{}", 404),
    ("POST", PATH, b"", 400),
    ("POST", PATH, b"not json", 400),
    ("POST", PATH, b"[" * 60_000, 400),
    ("POST", PATH, b"\xff\xfe", 400),
    ("POST", PATH, b"{}", 400),
    ("POST", PATH, b" " * (MAX_BYTES + 1), 413),
    ("GET", PATH, None, 501),
    ("DELETE", PATH, None, 501),
]


def test_what_is_no_message(url: str) -> None:
    for method, path, body, status in NO_MESSAGES:
        answer = requests.request(method, f"{url}{path}", data=body, timeout=60)
        assert answer.status_code == status, (method, path, body and body[:20])


def test_a_message_without_a_length_is_not_read(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"POST /cosign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b" 413 " in connection.recv(100)


def test_many_messages_a_second_are_not_all_looked_at(
    url: str, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_A_SECOND", 1)
    statuses = [requests.post(f"{url}{PATH}", data=b"{}", timeout=60).status_code for _ in range(12)]
    assert 429 in statuses
    assert 400 in statuses


def test_who_says_nothing_is_cut_off_and_others_are_heard(
    url: str, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "CONNECTION_SECONDS", 0.2)
    host, port = url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=60) for _ in range(30)]
    try:
        for connection in idle[:8]:
            connection.sendall(b"POST /cosign HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")

        def is_heard() -> bool:
            try:
                return requests.post(f"{url}{PATH}", data=b"{}", timeout=60).status_code == 400
            except requests.ConnectionError:
                return False

        wait_until(is_heard)
        for connection in idle:
            connection.settimeout(60)
            with suppress(ConnectionResetError):
                connection.recv(1)
    finally:
        for connection in idle:
            connection.close()


def test_who_sends_a_byte_now_and_then_is_cut_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never falls silent for as long as a silence may last, and would never end."""
    monkeypatch.setattr(exchange, "CONNECTION_SECONDS", 0.3)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"POST /cosign HTTP/1.1\r\nContent-Length: 60000\r\n\r\n")

        def is_cut_off() -> bool:
            try:
                connection.sendall(b" ")
            except OSError:
                return True
            return False

        wait_until(is_cut_off)


# -- a hostile peer -------------------------------------------------------------------------------


@pytest.fixture
def hostile() -> Iterator[tuple[str, dict[str, Any]]]:
    """A peer that answers what a test puts into `say`; it counts how often it was asked."""
    say: dict[str, Any] = {"body": b"{}", "status": 200, "headers": {}, "asked": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            say["asked"] += 1
            say["got"] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = say["body"](say["got"]) if callable(say["body"]) else say["body"]
            self.send_response(say["status"])
            for name, value in say["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", say
    server.shutdown()
    server.server_close()


def taken(*signatures: str) -> bytes:
    return json.dumps({"status": "taken", "code": "", "reason": "", "signatures": signatures}).encode()


def by_a_stranger(got: dict[str, Any]) -> bytes:
    return taken(Key(KEYS[3].wif).sign(Proposal.of_json(got).transaction, CHAIN_ID))


NONSENSE: list[dict[str, Any]] = [
    {"body": b"<html>502 Bad Gateway</html>", "status": 502},
    {"body": b"null"},
    {"body": b'{"status": "taken"}'},
    {"body": b'{"status": "signed", "signatures": []}'},
    {"body": taken("00")},
    {"body": taken(*["00" * 65] * 41)},
    {"body": by_a_stranger},
    {"body": b"[" * (10 * MAX_BYTES)},
    {"body": b"", "status": 307, "headers": {"Location": "http://127.0.0.1:1/"}},
    {"body": json.dumps({"status": "refused", "reason": "\x1b[31m\nred", "signatures": []}).encode()},
]


def test_a_peer_that_answers_nonsense_changes_nothing(
    group: Group, hostile: tuple[str, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    address, said = hostile
    operator = group.operators[0]
    before = operator.records()
    with caplog.at_level("INFO"), Exchange(operator.desk, None, [address]):
        for say in NONSENSE:
            said.update({"status": 200, "headers": {}, **say, "asked": 0})
            wait_until(lambda: said["asked"] >= 2)
            assert operator.records() == before, say
    assert "\x1b" not in caplog.text
    assert "does not answer" in caplog.text
    assert "its answer is no good: STM" in caplog.text


def test_the_message_says_nothing_but_the_payment(group: Group, hostile: tuple[str, dict[str, Any]]) -> None:
    address, said = hostile
    operator = group.operators[0]
    with Exchange(operator.desk, None, [address]):
        wait_until(lambda: said["asked"] >= 1)
    assert Proposal.of_json(said["got"]) == operator.proposals()[0]
    assert operator.key.wif not in json.dumps(said["got"])


@pytest.mark.parametrize("text", ["8095", ":8095", "host:", "host:x", "host:70000", ""])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ExchangeError, match="is not an address"):
        parse_address(text)


def test_addresses_and_peers(group: Group) -> None:
    assert parse_address("[::1]:8095") == ("::1", 8095)
    desk = group.operators[0].desk
    with pytest.raises(ExchangeError, match="is not a peer's address"):
        Exchange(desk, None, ["peer:8095"])
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        taken_port.listen()
        with pytest.raises(ExchangeError, match="cannot be listened on"):
            Exchange(desk, f"127.0.0.1:{taken_port.getsockname()[1]}", [])
