"""The door to a devnet's node: what the site's practice wallet needs of it, under the site's own address.

It stands before the read API, which knows nothing of it and cannot write. So a browser needs no second
address, and no rule of the site has to be loosened. There is none on another network than a devnet.
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
ROOMS: Final = {
    "rpc": "/",
    "practice": "/dev/practice",
    "engine": "/engine/contracts",
}
"""What the door leads to, by the last part of the path. Faults, faucet and other keys are not among it."""
MAX_BODY_BYTES: Final = 65_536
_CONNECT_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0


class Door:
    """A WSGI application: POST to one of the rooms goes to the node, all else to the application behind."""

    def __init__(self, behind: WSGIApplication, node: str) -> None:
        self._behind = behind
        self._node = node.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        room = ROOMS.get(path.removeprefix(PATH)) if path.startswith(PATH) else None
        if room is None or environ["REQUEST_METHOD"] != "POST":
            return self._behind(environ, start_response)
        body = Request(environ).stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            answer = _refusal(413, "E_TOO_LARGE", f"The body must be at most {MAX_BODY_BYTES} bytes.")
        else:
            answer = _forward(self._node + room, body)
        answer.headers["Cache-Control"] = "no-store"
        return answer(environ, start_response)


def _forward(url: str, body: bytes) -> Response:
    try:
        answer = requests.post(
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
        )
    except requests.RequestException:
        return _refusal(502, "E_DEVNET", "The devnet's node does not answer.")
    return Response(answer.content, answer.status_code, mimetype="application/json")


def _refusal(status: int, code: str, sentence: str) -> Response:
    body = {"ok": False, "error": sentence, "code": code}
    return Response(json.dumps(body), status, mimetype="application/json")
