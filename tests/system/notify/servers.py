"""Servers that messages are sent to: HTTP with scripted answers, and SMTP with TLS."""

from __future__ import annotations

import json
import re
import socketserver
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a server says to a request. `before` is called first: it may block or kill."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    before: Callable[[], object] | None = None


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """An HTTP server that remembers what is posted. Scripted answers by path are used up, then it says 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: dict[str, deque[Answer]] = {}
        self.always: dict[str, Answer] = {}
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(Received(self.path, dict(self.headers), body))
                waiting = receiver.script.get(self.path)
                self._say(waiting.popleft() if waiting else receiver.always.get(self.path, Answer()))

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                self._say(receiver.always.get(path, Answer(404)))

            def _say(self, answer: Answer) -> None:
                if answer.before is not None:
                    answer.before()
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)
                except OSError:
                    self.close_connection = True  # the client is gone

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def at(self, path: str) -> list[Received]:
        return [each for each in self.received if each.path == path]

    def ids(self, path: str) -> list[str]:
        return [each.json["id"] for each in self.at(path)]

    def hang(self) -> None:
        """As `before` of an answer: no answer until the test ends."""
        self.closing.wait()

    def give(self, path: str, body: object) -> None:
        """Answer GET requests with this JSON."""
        self.always[path] = Answer(body=json.dumps(body).encode())

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    try:
        yield server
    finally:
        server.close()


class MailServer:
    """An SMTP server with TLS from the first byte, or by STARTTLS."""

    def __init__(self, certificate: Path, *, starttls: bool) -> None:
        self.mails: list[str] = []
        self.logins: list[str] = []
        self.refusals: deque[str] = deque()  # answers to DATA, before it says 250
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if not starttls:
                    self._secure()
                self._say("220 test")
                while line := self.rfile.readline():
                    words = line.decode().strip()
                    verb = words.upper().split(" ")[0]
                    if verb == "EHLO":
                        self._say(
                            "250-test\r\n250-AUTH PLAIN\r\n250 STARTTLS"
                            if starttls
                            else "250-test\r\n250 AUTH PLAIN"
                        )
                    elif verb == "STARTTLS":
                        self._say("220 go")
                        self._secure()
                    elif verb == "AUTH":
                        server.logins.append(words)
                        self._say("235 welcome")
                    elif verb == "DATA":
                        self._say("354 go")
                        text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                        answer = server.refusals.popleft() if server.refusals else "250 taken"
                        if answer.startswith("250"):
                            server.mails.append(text)
                        self._say(answer)
                    else:
                        self._say("250 ok")

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def _secure(self) -> None:
                self.request = context.wrap_socket(self.request, server_side=True)
                self.setup()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that does not trust the certificate

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def headers_of(mail: str) -> dict[str, str]:
    head = re.sub(r"\r\n[ \t]+", " ", mail.partition("\r\n\r\n")[0])
    return dict(line.split(": ", 1) for line in head.split("\r\n"))
