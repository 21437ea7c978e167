"""Bounded HTTP for the client: kept-alive connections, limits on time and size, one family of errors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import requests
import urllib3

from peakedex.client.errors import ConnectionFailed

MAX_BYTES: Final = 1 << 25
_CHUNK_BYTES: Final = 1 << 16
_MAX_LINE_BYTES: Final = 1 << 24


class Answer(NamedTuple):
    """An answer with any HTTP status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """HTTP session. Nothing is retried and no redirection followed. Not thread-safe.

    `seconds` is the longest silence of a server, and three times it the longest time of an answer.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._session = requests.Session()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET. Raises ConnectionFailed."""
        return self._request("GET", url, None, headers)

    def post_json(self, url: str, body: bytes) -> Answer:
        """POST of a JSON text. Raises ConnectionFailed: the request may have arrived."""
        return self._request("POST", url, body, {"Content-Type": "application/json"})

    def lines(self, url: str, headers: Mapping[str, str], silence: float) -> Iterator[bytes]:
        """Lines of an endless answer without their ends; first the status and Retry-After as two lines.

        Raises ConnectionFailed, also after `silence` seconds without a byte.
        """
        try:
            with self._session.get(
                url, headers=headers, timeout=(self._seconds, silence), allow_redirects=False, stream=True
            ) as response:
                yield str(response.status_code).encode()
                yield response.headers.get("Retry-After", "").encode()
                held = b""
                while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                    *whole, held = (held + chunk).split(b"\n")
                    if len(held) > _MAX_LINE_BYTES:
                        raise ConnectionFailed(f"{url}: an event is too long")
                    yield from (line.rstrip(b"\r") for line in whole)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise ConnectionFailed(f"{url}: {_reason(error)}") from None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        deadline = time.monotonic() + 3 * self._seconds
        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=self._seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, _body(response, url, deadline))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ConnectionFailed(f"{url}: {_reason(error)}") from None


def _body(response: requests.Response, url: str, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            raise ConnectionFailed(f"{url}: the answer is longer than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise ConnectionFailed(f"{url}: the answer takes too long")
    return b"".join(chunks)


def _reason(error: Exception) -> str:
    """A short reason: the libraries' own texts are pages of nested errors."""
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no connection: its certificate is not trusted"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    is_of_socket = isinstance(error, OSError) and not isinstance(error, requests.RequestException)
    if is_of_socket or isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection broke off"
    return f"no answer: {error}"
