"""Bounded HTTP client: kept-alive connections, limits on time and size, and one family of errors.

Every failure of a remote node is a `NodeError`, so that callers retry or fail over with a single `except`.
Redirections are not followed, and nothing is retried here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple

import requests
import urllib3

from settlement.net.deadlines import Deadline, DeadlineAdapter

_CHUNK_BYTES: Final = 1 << 18
_LONGEST_RETRY_AFTER_DIGITS: Final = 5
_SHOWN_CHARACTERS: Final = 200


class NodeError(Exception):
    """A node's answer is missing or unusable; another node, or the same one later, may answer.

    `retry_after` is the pause in seconds that the node asked for, None where it asked for none.
    """

    def __init__(self, problem: object, retry_after: float | None = None) -> None:
        super().__init__(str(problem))
        self.retry_after = retry_after


class HttpError(NodeError):
    """A request failed. The text is `url: reason`."""

    def __init__(self, url: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(f"{url}: {reason}", retry_after)
        self.url = url
        self.reason = reason


class NoAnswer(HttpError):
    """No connection, no answer in time, or a connection that broke off. The request may have arrived."""


class StatusError(HttpError):
    """The HTTP status is not 200."""

    def __init__(self, url: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(url, f"HTTP status {status}", retry_after)
        self.status = status


class AnswerTooLarge(HttpError):
    """The body is larger than the limit."""


class BadAnswer(HttpError):
    """The body is not what was asked for: not JSON, or JSON of another shape."""


class Limits(NamedTuple):
    """Limits of one request."""

    connect_seconds: float = 5.0
    read_seconds: float = 10.0  # the longest silence while the answer is awaited or read
    total_seconds: float | None = None  # from connecting to the last byte; None: connect + read seconds
    max_bytes: int = 1 << 24  # of the body, decompressed

    @property
    def deadline_seconds(self) -> float:
        """The longest time that a request can take."""
        return self.connect_seconds + self.read_seconds if self.total_seconds is None else self.total_seconds


class Answer(NamedTuple):
    """The body and headers (case-insensitive) of an answer with status 200."""

    body: bytes
    headers: Mapping[str, str]


class Stream(NamedTuple):
    """The body of an answer in pieces, and the byte of the file at which it begins."""

    offset: int  # 0 where the server sends the whole file instead of its rest
    pieces: Iterator[bytes]


class HttpClient:
    """HTTP session with limits. Connections stay open between requests. Not thread-safe."""

    def __init__(self, limits: Limits | None = None, headers: Mapping[str, str] | None = None) -> None:
        """`limits` hold for each request that names none of its own; `headers` are sent with each."""
        self.limits = limits or Limits()
        self._deadline = Deadline()
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter(self._deadline))
        self._session.headers.update(headers or {})

    def get(self, url: str, limits: Limits | None = None) -> Answer:
        """GET. Raises HttpError."""
        return self._request("GET", url, None, limits)

    def head(self, url: str, limits: Limits | None = None) -> Answer:
        """HEAD: an answer without a body. Raises HttpError."""
        return self._request("HEAD", url, None, limits)

    def post_json(self, url: str, body: bytes, limits: Limits | None = None) -> bytes:
        """POST a JSON text; returns the answer's body. Raises HttpError."""
        return self._request("POST", url, body, limits).body

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _request(self, method: str, url: str, body: bytes | None, limits: Limits | None) -> Answer:
        limits = limits or self.limits
        with self._response(method, url, body, {}, limits) as response:
            if response.status_code != HTTPStatus.OK:
                raise StatusError(url, response.status_code, _retry_after(response))
            return Answer(_read_body(response, url, limits.max_bytes), response.headers)

    @contextmanager
    def stream(self, url: str, offset: int, limits: Limits | None = None) -> Iterator[Stream]:
        """GET a file from a byte offset on, undecoded, in pieces; its size is for the caller to limit.

        Raises HttpError, also while the pieces are read within the context.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self._response("GET", url, None, headers, limits or self.limits) as response:
            if offset and response.status_code == HTTPStatus.PARTIAL_CONTENT:
                if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                    raise BadAnswer(url, "another range than the one that was asked for")
            elif response.status_code == HTTPStatus.OK:
                offset = 0
            else:
                raise StatusError(url, response.status_code, _retry_after(response))
            read = response.raw.read1
            yield Stream(offset, iter(lambda: read(_CHUNK_BYTES, decode_content=False), b""))

    @contextmanager
    def _response(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], limits: Limits
    ) -> Iterator[requests.Response]:
        """The answer to a request, whose body can be read within the context. Raises HttpError."""
        self._deadline.start(limits.deadline_seconds)
        connect_seconds = min(limits.connect_seconds, limits.deadline_seconds)
        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers=headers if body is None else {**headers, "Content-Type": "application/json"},
                timeout=(connect_seconds, limits.read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                yield response
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            reason = failure(error) or f"no answer: {one_line(str(error))}"
            raise NoAnswer(url, reason) from None
        except ValueError as error:  # requests lets some malformed URLs through to urllib
            raise NoAnswer(url, f"not a valid URL: {one_line(str(error))}") from None


def _read_body(response: requests.Response, url: str, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise AnswerTooLarge(url, f"the answer is longer than {max_bytes} bytes")
    return b"".join(chunks)


def failure(error: Exception) -> str | None:
    """Why a request of requests failed; None for something else than the connection.

    It never repeats the libraries' own texts: pages of nested errors, and the URL with its secrets.
    """
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no connection: its certificate is not trusted"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    is_of_socket = isinstance(error, OSError) and not isinstance(error, requests.RequestException)
    if is_of_socket or isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection broke off"
    return None


def _retry_after(response: requests.Response) -> float | None:
    """Seconds in Retry-After; None for none, or a date."""
    text = response.headers.get("Retry-After", "")
    is_seconds = text.isascii() and text.isdigit() and len(text) <= _LONGEST_RETRY_AFTER_DIGITS
    return float(text) if is_seconds else None


def one_line(text: str, max_characters: int = _SHOWN_CHARACTERS) -> str:
    """Untrusted text as printable ASCII in one line, shortened: safe for logs."""
    return ascii(text[:max_characters])[1:-1]
