"""Signatures between operators over HTTP: a small server, and a thread for each peer that asks it.

One message is one proposal (`cosign`), and the answer the verdict on it with all signatures that the other
side has. A message counts by the signatures in it, each over the very transaction: nobody else can make one,
and to repeat one changes nothing. It is good until its transaction expires. Nothing in it is secret.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import requests
from sqlalchemy.exc import SQLAlchemyError

from settlement.payouts.cosign.signatures import (
    MOST_SIGNATURES,
    STRANGERS,
    Desk,
    Proposal,
    ProposalError,
    Verdict,
)

PATH: Final = "/cosign"
MAX_BYTES: Final = 65_536
"""Of a message and of an answer: the largest transaction takes about 20,000."""
MOST_AT_ONCE: Final = 8
MOST_A_SECOND: Final = 50
CONNECTION_SECONDS: Final = 15.0
ASK_SECONDS: Final = 2.0
SLOWEST_ASK_SECONDS: Final = 30.0
_TIMEOUT: Final = (3.0, 5.0)
_END_SECONDS: Final = 1.0
_CHUNK: Final = 8192
_REMEMBERED: Final = 1000
_SHOWN: Final = 300
_STATUSES: Final = {
    "taken": HTTPStatus.OK,
    "later": HTTPStatus.ACCEPTED,
    "refused": HTTPStatus.CONFLICT,
}

log = logging.getLogger(__name__)


class ExchangeError(Exception):
    """The exchange cannot start: why, and the cure."""


class Exchange:
    """Answers and asks while it is entered; does nothing where neither an address nor a peer is named."""

    def __init__(self, desk: Desk, listen: str | None, peers: Sequence[str]) -> None:
        """`listen` is HOST:PORT (port 0 takes a free one). Raises ExchangeError."""
        self._stop = threading.Event()
        self._server = None if listen is None else _Server(parse_address(listen), desk)
        self._threads = [
            threading.Thread(target=_Peer(url, desk, self._stop).run, daemon=True) for url in peers
        ]
        if self._server is not None:
            self._threads.append(threading.Thread(target=self._server.serve_forever, daemon=True))

    @property
    def port(self) -> int:
        """The port that is listened on; 0 for none."""
        return 0 if self._server is None else self._server.server_port

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        end = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises ExchangeError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ExchangeError(f"{text!r} is not an address: write HOST:PORT, as 127.0.0.1:8095")
    return host.strip("[]"), int(port)


def parse_peer(text: str) -> str:
    """A peer's URL without a slash at its end. Raises ExchangeError."""
    if not text.startswith(("http://", "https://")):
        raise ExchangeError(f"{text!r} is not a peer's address: write http://HOST:PORT, or https://…")
    return text.rstrip("/")


# -- answering ------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    """One request a connection."""

    server: _Server
    server_version = "PeakeDEX"
    sys_version = ""
    timeout = 5

    def do_POST(self) -> None:
        if self.path != PATH:
            self._refuse(HTTPStatus.NOT_FOUND, "no such path")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a message has at most {MAX_BYTES} bytes")
            return
        if not self.server.has_room():
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "too many messages")
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        try:
            proposal = Proposal.of_json(json.loads(body))
        except (ProposalError, ValueError, RecursionError) as error:
            text = str(error) if isinstance(error, ProposalError) else "the body is not JSON"
            self._refuse(HTTPStatus.BAD_REQUEST, text)
            return
        try:
            verdict = self.server.desk.take(proposal)
        except SQLAlchemyError as error:
            log.warning("a proposal could not be looked at: %s", error)
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "try again")
            return
        if verdict.status == "refused" and verdict.code not in STRANGERS:
            self.server.said.say(proposal.transaction.id, f"refused an operator's payment: {verdict.text}")
        self._send(_STATUSES[verdict.status], verdict)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._send(status, Verdict("refused", "bad_message", text))

    def _send(self, status: HTTPStatus, verdict: Verdict) -> None:
        body = json.dumps(verdict.to_json()).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    """Few connections at a time, each for some seconds at most, and so many messages a second."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
        self.desk = desk
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._second, self._messages = 0, 0
        self.said = _Said(logging.WARNING)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise ExchangeError(
                f"{address[0]}:{address[1]} cannot be listened on ({error.strerror}): name another"
            ) from error

    def has_room(self) -> bool:
        """Whether one more message of this second is looked at."""
        with self._lock:
            second = int(time.monotonic())
            self._messages = self._messages + 1 if second == self._second else 1
            self._second = second
            return self._messages <= MOST_A_SECOND

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            if len(self._open) >= MOST_AT_ONCE:
                return False
            self._open[request] = time.monotonic() + CONNECTION_SECONDS
            return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called every half second: end what takes too long."""
        now = time.monotonic()
        with self._lock:
            for connection, end in self._open.items():
                if end < now:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a peer's connection broke", exc_info=True)


# -- asking ---------------------------------------------------------------------------------------


class _Peer:
    """Tells another operator of our payments that lack signatures, until they have them or expire."""

    def __init__(self, url: str, desk: Desk, stop: threading.Event) -> None:
        self._url = parse_peer(url)
        self._desk = desk
        self._stop = stop
        self._session = requests.Session()
        self._said = _Said(logging.INFO)
        self._asked: dict[str, float] = {}
        self._pause = ASK_SECONDS

    def run(self) -> None:
        """Until the exchange ends."""
        while not self._stop.wait(self._pause):
            try:
                self._round()
                self._pause = ASK_SECONDS
            except (requests.RequestException, ProposalError) as error:
                self._said.say("", f"{self._url} does not answer ({type(error).__name__})")
                self._pause = min(2 * self._pause, SLOWEST_ASK_SECONDS)
            except SQLAlchemyError as error:
                log.info("later: %s", error)

    def _round(self) -> None:
        """Ask once about each payment, beginning with those that were not asked about for longest."""
        records = [record for record in self._desk.open() if not record.is_complete]
        self._asked = {record.id: self._asked.get(record.id, 0.0) for record in records}
        for record in sorted(records, key=lambda record: self._asked[record.id]):
            if self._stop.is_set():
                return
            self._asked[record.id] = time.monotonic()
            proposal = self._desk.proposal(record)
            answer = self._ask(proposal)
            self._said.say("", f"{self._url} answers")
            text = f"{answer.status} there: {answer.text}"
            if answer.status == "taken":
                verdict = self._desk.take(replace(proposal, signatures=answer.signatures))
                text = verdict.text if verdict.status == "taken" else f"its answer is no good: {verdict.text}"
            self._said.say(record.id, f"{self._url}: {record.id}: {text}")

    def _ask(self, proposal: Proposal) -> Verdict:
        """The peer's verdict. Raises requests.RequestException and ProposalError."""
        body = json.dumps(proposal.to_json()).encode()
        raw, end = b"", time.monotonic() + CONNECTION_SECONDS
        with self._session.post(
            f"{self._url}{PATH}", data=body, timeout=_TIMEOUT, allow_redirects=False, stream=True
        ) as response:
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                raise ProposalError("it asks us to wait")
            for chunk in response.iter_content(_CHUNK):
                raw += chunk
                if len(raw) > MAX_BYTES or time.monotonic() > end:
                    raise ProposalError("the answer is too long, or too slow")
        return _verdict(raw)


class _Said:
    """Lines for the log, each unless it was the last one about its matter."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._last: dict[str, str] = {}

    def say(self, about: str, text: str) -> None:
        if self._last.get(about) == text:
            return
        if len(self._last) >= _REMEMBERED:
            self._last.clear()
        self._last[about] = text
        log.log(self._level, "%s", text)


def _verdict(raw: bytes) -> Verdict:
    """A peer's answer. Raises ProposalError."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("status") not in _STATUSES:
        raise ProposalError("not an answer of this exchange")
    signatures = answer.get("signatures")
    if not isinstance(signatures, list) or not all(isinstance(one, str) for one in signatures):
        raise ProposalError("not an answer of this exchange")
    if len(signatures) > MOST_SIGNATURES:
        raise ProposalError("more signatures than an account can have")
    text = "".join(letter if letter.isprintable() else "?" for letter in str(answer.get("reason"))[:_SHOWN])
    return Verdict(answer["status"], str(answer.get("code")), text, tuple(signatures))
