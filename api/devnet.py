"""The door to a devnet's node: what the site's practice wallet needs of it, under the API's own address.

There is a door only where the API was told so, which it takes on the network "devnet" alone. So a browser
needs no second address, and no rule of the site has to be loosened.
"""

from __future__ import annotations

from typing import Final

import requests
from flask import Flask, Response, request

from api.errors import ApiError, not_found

ENDPOINT: Final = "devnet"
ROOMS: Final = {
    "rpc": "/",
    "practice": "/dev/practice",
    "engine": "/engine/contracts",
}
"""What the door leads to, by the last part of the path. Faults, faucet and other keys are not among it."""
MAX_BODY_BYTES: Final = 65_536
_CONNECT_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0


def register(app: Flask, node: str) -> None:
    """Open the door to the node at this address, as POST /api/devnet/<room>."""

    def door(room: str) -> Response:
        path = ROOMS.get(room)
        if path is None:
            raise not_found("There is nothing at this address.")
        body = request.stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ApiError("E_TOO_LARGE", f"The body must be at most {MAX_BODY_BYTES} bytes.")
        return _forward(node.rstrip("/") + path, body)

    app.add_url_rule("/api/devnet/<room>", ENDPOINT, door, methods=["POST"])


def _forward(url: str, body: bytes) -> Response:
    try:
        answer = requests.post(
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
        )
    except requests.RequestException as error:
        raise ApiError("E_DEVNET", "The devnet's node does not answer.") from error
    response = Response(answer.content, answer.status_code, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
