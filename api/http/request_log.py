"""What happens around each request: an id, the time it took, and a line in the access log."""

from __future__ import annotations

import logging
import os
import time
from string import punctuation
from typing import Final
from urllib.parse import quote

from flask import Flask, Request, Response, g, has_request_context, request

from api.http.client_address import Clients
from api.worker_metrics import Paths, Slot

HEADER: Final = "X-Request-Id"

access: Final = logging.getLogger("peakedex.access")


class Trace:
    """Watches every request of one application."""

    def __init__(self, clients: Clients, slot: Slot, *, access_log: bool) -> None:
        self._clients = clients
        self._slot = slot
        self._access_log = access_log
        self.paths = Paths(())

    def register(self, app: Flask) -> None:
        """First of all, so that it sees what any other part does to the request and its response."""
        logging.getLogger("peakedex.api").addFilter(_NAMES_REQUEST)
        app.before_request(self._begin)
        app.after_request(self._end)

    def name_paths(self, app: Flask) -> None:
        """Call it once all paths are there."""
        self.paths = Paths([rule.rule for rule in app.url_map.iter_rules()])

    def name(self, request: Request) -> str:
        """The id of a request: its own, or the one that a trusted proxy gave it."""
        return self._clients.request_id(request) or os.urandom(16).hex()

    def path(self, request: Request) -> int:
        """The number of its path in the tally."""
        rule = request.url_rule
        return self.paths.number(None if rule is None else rule.rule)

    def tell(
        self, request: Request, name: str, path: int, status: int, length: int | None, seconds: float
    ) -> None:
        """A request is answered, with so many bytes: count it, and log it."""
        self._slot.request(path, status, seconds)
        if self._access_log:
            self._log(request, name, status, length, seconds)

    def _begin(self) -> None:
        g.started = time.perf_counter()
        g.request_id = self.name(request)

    def _end(self, response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        length = response.content_length if self._access_log else None
        self.tell(request, g.request_id, self.path(request), response.status_code, length, seconds)
        response.headers[HEADER] = g.request_id
        return response

    def _log(self, request: Request, name: str, status: int, length: int | None, seconds: float) -> None:
        """One line. The address is written as it was sent, so that no stranger writes lines of his own."""
        target = quote(request.environ.get("RAW_URI") or request.full_path, safe=punctuation)
        fields = {
            "client": self._clients.address(request),
            "method": request.method,
            "target": target,
            "status": status,
            "bytes": length,
            "ms": round(seconds * 1000, 1),
            "request": name,
        }
        access.info("%(client)s %(method)s %(target)s %(status)s %(bytes)s B %(ms)s ms", fields, extra=fields)


def request_id() -> str | None:
    """The id of the request that this thread answers."""
    return g.get("request_id") if has_request_context() else None


class _NamesRequest(logging.Filter):
    """Gives records of the log the request's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = request_id()
        return True


_NAMES_REQUEST: Final = _NamesRequest()
