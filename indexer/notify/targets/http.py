"""HTTP for targets: a POST with a deadline. Its errors name no URL and no header, which hold secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import requests
import urllib3

from indexer.notify.targets.target import DeliveryError, RefusedError
from settlement.net.deadlines import Deadline, DeadlineAdapter
from settlement.net.http_client import failure

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 20.0
MAX_ANSWER_BYTES: Final = 1 << 16
MAX_RETRY_AFTER: Final = 3600.0
_REFUSED: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class Poster:
    """Posts JSON to one service."""

    def __init__(self, ca_file: str | None = None, total_seconds: float = TOTAL_SECONDS) -> None:
        """`ca_file`: certificates to trust in place of the system's."""
        self._total_seconds = total_seconds
        self._deadline = Deadline()
        self._session = requests.Session()
        self._session.auth = _no_netrc
        self._session.verify = ca_file or True
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter(self._deadline))

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """POST a JSON text. Raises DeliveryError, unless the status is 2xx."""
        self._deadline.start(self._total_seconds)
        try:
            with self._session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", "User-Agent": "peakedex-notify", **headers},
                timeout=(CONNECT_SECONDS, self._total_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
                if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                    return
                answer = response.raw.read1(MAX_ANSWER_BYTES, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise DeliveryError(failure(error) or f"no answer ({type(error).__name__})") from None
        if status in _REFUSED:
            raise RefusedError(f"HTTP status {status}")
        raise DeliveryError(f"HTTP status {status}", _retry_after(response.headers, answer))


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from replacing our Authorization header by an entry of ~/.netrc."""
    return request


def _retry_after(headers: Mapping[str, str], answer: bytes) -> float | None:
    """Seconds in Retry-After, or in the JSON body of Discord or Telegram: the largest of them."""
    found: list[Any] = [headers.get("Retry-After")]
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        parameters = body.get("parameters")
        found += [
            body.get("retry_after"),
            parameters.get("retry_after") if isinstance(parameters, dict) else None,
        ]
    seconds = [each for each in map(_seconds, found) if each is not None]
    return max(seconds, default=None)


def _seconds(value: object) -> float | None:
    """A number from 0 to MAX_RETRY_AFTER; larger ones are cut; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_RETRY_AFTER) if seconds >= 0 else None
