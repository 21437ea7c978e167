"""Request ids, durations and the access log."""

from __future__ import annotations

import logging
import os
import time
from string import punctuation
from typing import Final
from urllib.parse import quote

from flask import Flask, Request, Response, g, has_request_context, request

from api.http.client_address import ClientAddresses
from api.request_metrics import RequestMetrics

HEADER: Final = "X-Request-Id"

access: Final = logging.getLogger("peakedex.access")


class RequestLog:
    """Gives each request an id, measures it, and writes the access log if that is enabled."""

    def __init__(self, addresses: ClientAddresses, metrics: RequestMetrics, *, access_log: bool) -> None:
        self._addresses = addresses
        self._metrics = metrics
        self._access_log = access_log

    def register(self, app: Flask) -> None:
        """Call it before all other hooks are registered, so that their time is measured as well."""
        logging.getLogger("peakedex.api").addFilter(_ADD_REQUEST_ID)
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.started = time.perf_counter()
        g.request_id = self._addresses.request_id(request) or os.urandom(16).hex()

    def _end(self, response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        rule = request.url_rule
        self._metrics.record(None if rule is None else rule.rule, response.status_code, seconds)
        if self._access_log:
            length = None if response.status_code == 304 else response.content_length
            self._write(request, response.status_code, length, seconds)
        response.headers[HEADER] = g.request_id
        return response

    def _write(self, request: Request, status: int, length: int | None, seconds: float) -> None:
        """Write one line. The address is quoted: control characters in it must not start a new line."""
        target = quote(request.environ.get("RAW_URI") or request.full_path, safe=punctuation)
        fields = {
            "client": self._addresses.address(request),
            "method": request.method,
            "target": target,
            "status": status,
            "bytes": length,
            "ms": round(seconds * 1000, 1),
            "request": g.request_id,
        }
        access.info("%(client)s %(method)s %(target)s %(status)s %(bytes)s B %(ms)s ms", fields, extra=fields)


def request_id() -> str | None:
    """Id of the request being handled by this thread."""
    return g.get("request_id") if has_request_context() else None


class _AddRequestId(logging.Filter):
    """Adds the id of the current request to log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = request_id()
        return True


_ADD_REQUEST_ID: Final = _AddRequestId()
