"""Reverse proxy from the site's address to a devnet node, for the practice wallet.

It runs in front of the read API as WSGI middleware, so that the browser needs only one address and the
site's content security policy stays strict. It is used on the network `devnet` only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import requests
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = "/api/devnet/"
ROUTES: Final = {
    "rpc": "/",
    "practice": "/dev/practice",
    "engine": "/engine/contracts",
}
"""Last part of the path → path on the node. Faults, faucet and other accounts' keys are not reachable."""
MAX_BODY_BYTES: Final = 65_536
_CONNECT_SECONDS: Final = 2.0
_READ_SECONDS: Final = 10.0


class DevnetProxy:
    """WSGI middleware: forwards POST to one of ROUTES to the node, everything else to the application."""

    def __init__(self, app: WSGIApplication, node: str) -> None:
        self._app = app
        self._node = node.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        route = ROUTES.get(path.removeprefix(PATH)) if path.startswith(PATH) else None
        if route is None or environ["REQUEST_METHOD"] != "POST":
            return self._app(environ, start_response)
        body = Request(environ).stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            answer = _error(413, "E_TOO_LARGE", f"The body must be at most {MAX_BODY_BYTES} bytes.")
        else:
            answer = _forward(self._node + route, body)
        answer.headers["Cache-Control"] = "no-store"
        return answer(environ, start_response)


def _forward(url: str, body: bytes) -> Response:
    try:
        answer = requests.post(
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        )
    except requests.RequestException:
        return _error(502, "E_DEVNET", "The devnet node does not respond.")
    return Response(answer.content, answer.status_code, mimetype="application/json")


def _error(status: int, code: str, sentence: str) -> Response:
    body = {"ok": False, "error": sentence, "code": code}
    return Response(json.dumps(body), status, mimetype="application/json")
