"""What happens around each request: an id, the time it took, and a line in the access log."""

from __future__ import annotations

import logging
import time
import uuid
from string import punctuation
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, g, has_request_context, request

from api.client import Clients
from api.tally import Paths, Slot

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

    def _begin(self) -> None:
        g.started = time.perf_counter()
        g.request_id = self._clients.request_id(request) or uuid.uuid4().hex

    def _end(self, response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        rule = request.url_rule
        self._slot.request(
            self.paths.number(None if rule is None else rule.rule), response.status_code, seconds
        )
        response.headers[HEADER] = g.request_id
        if self._access_log:
            self._log(response, seconds)
        return response

    def _log(self, response: Response, seconds: float) -> None:
        """One line. The address is written as it was sent, so that no stranger writes lines of his own."""
        target = quote(request.environ.get("RAW_URI") or request.full_path, safe=punctuation)
        fields = {
            "client": self._clients.address(request),
            "method": request.method,
            "target": target,
            "status": response.status_code,
            "bytes": response.content_length,
            "ms": round(seconds * 1000, 1),
            "request": g.request_id,
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
