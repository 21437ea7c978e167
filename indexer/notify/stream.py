"""Client of /api/stream: Server-Sent Events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlencode

import requests
import urllib3

from settlement.net.http_client import NoAnswer, StatusError

CONNECT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 40.0
"""The server sends something at least every 15 seconds."""
MAX_EVENT_BYTES: Final = 1 << 26
_CHUNK_BYTES: Final = 1 << 16


class Event(NamedTuple):
    """An event; `id` is None for one without."""

    name: str
    data: bytes
    id: str | None


def read_events(url: str, topics: str, last_event_id: str | None) -> Iterator[Event]:
    """Subscribe and yield events until the connection ends. Raises NoAnswer and StatusError."""
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    try:
        with requests.get(
            f"{url}/api/stream?{urlencode({'topics': topics})}",
            headers=headers,
            timeout=(CONNECT_SECONDS, SILENT_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != HTTPStatus.OK:
                raise StatusError(f"{url}/api/stream", response.status_code)
            yield from _parse(_lines(response.raw, url))
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
        raise NoAnswer(f"{url}/api/stream", "the connection broke off") from None


def _lines(raw: urllib3.HTTPResponse, url: str) -> Iterator[bytes]:
    rest = b""
    while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > MAX_EVENT_BYTES:
            raise NoAnswer(f"{url}/api/stream", f"an event is longer than {MAX_EVENT_BYTES} bytes")


def _parse(lines: Iterator[bytes]) -> Iterator[Event]:
    name: str = "message"
    id_: str | None = None
    data: list[bytes] = []
    for line in lines:
        field, _, value = line.removesuffix(b"\r").partition(b":")
        value = value.removeprefix(b" ")
        if not field and not value and not line.startswith(b":"):
            if data:
                yield Event(name, b"\n".join(data), id_)
            name, id_, data = "message", None, []
        elif field == b"event":
            name = value.decode(errors="replace")
        elif field == b"id":
            id_ = value.decode("ascii", errors="ignore")
        elif field == b"data":
            data.append(value)
