"""Answers that are ready: what was answered before is sent again as it was, before Flask sees the request.

A GET whose address and headers (those that an answer depends on) were seen at the same block gets the same
bytes. It is counted, limited and logged as any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Flask, Response, g, request
from sqlalchemy.exc import SQLAlchemyError

from api.http.answers import Kept
from api.http.errors import ApiError
from api.http.limits import Limits
from api.http.request_log import HEADER, Trace

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_DEPENDS_ON: Final = (
    "PATH_INFO",
    "QUERY_STRING",
    "HTTP_IF_NONE_MATCH",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ORIGIN",
)
"""All that two requests for one answer have in common."""
_NEVER_WITH: Final = frozenset(
    ("HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_RANGE")
)
_LONGEST_KEY: Final = 1024
_ENTRY_BYTES: Final = 2048
"""What an answer costs beside its body: its headers and its key."""


class Ready(NamedTuple):
    """A whole answer. `headers` are those that it has whoever asks; `path` is its number in the tally."""

    code: int
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    path: int


class ReadyAnswers:
    """A layer before the application. `mark` names all that answers depend on beside the request."""

    def __init__(self, app: Flask, trace: Trace, limits: Limits, mark: Callable[[], str]) -> None:
        """Call it before anything else adds to responses, so that what is kept is whole."""
        self._app = app
        self._inner: WSGIApplication = app.wsgi_app
        self._trace = trace
        self._limits = limits
        self._mark = mark
        self._kept = Kept[Ready](lambda ready: len(ready.body) + _ENTRY_BYTES)
        app.after_request(self._keep)
        app.wsgi_app = self  # type: ignore[method-assign]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ready = self._find(environ)
        if ready is None:
            return self._inner(environ, start_response)
        started = time.perf_counter()
        asked = self._app.request_class(environ)
        if not self._limits.admits(asked):
            return self._inner(environ, start_response)
        name = self._trace.name(asked)
        length = None if ready.code == 304 else len(ready.body)
        self._trace.tell(asked, name, ready.path, ready.code, length, time.perf_counter() - started)
        start_response(ready.status, [*ready.headers, (HEADER, name)])
        return (ready.body,) if ready.body else ()

    def _find(self, environ: WSGIEnvironment) -> Ready | None:
        key = _key(environ)
        if key is None:
            return None
        try:
            mark = self._mark()
        except (ApiError, SQLAlchemyError):  # the application tells it, too
            return None
        return self._kept.get(f"{mark} {key}")

    def _keep(self, response: Response) -> Response:
        """Whatever the resource has marked."""
        mark = g.pop("mark", None)
        key = _key(request.environ)
        if mark is not None and key is not None and response.status_code in (200, 304):
            headers = response.get_wsgi_headers(request.environ)
            headers.remove(HEADER)
            body = b"" if response.status_code == 304 else response.get_data()
            path = self._trace.path(request)
            ready = Ready(response.status_code, response.status, headers.to_wsgi_list(), body, path)
            self._kept.set(f"{mark} {key}", ready)
        return response


def _key(environ: dict[str, Any]) -> str | None:
    """What tells one request from another; None for one that is not answered from here."""
    if environ["REQUEST_METHOD"] != "GET" or not _NEVER_WITH.isdisjoint(environ):
        return None
    key = "\n".join([environ.get(name, "") for name in _DEPENDS_ON])
    return key if len(key) <= _LONGEST_KEY else None
