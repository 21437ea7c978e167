"""Prometheus metrics of the HTTP server, aggregated over the worker processes of one `peakedex serve`.

`prometheus_client` keeps the values in files below PROMETHEUS_MULTIPROC_DIR if that variable is set when the
library is first imported (`api.server.serve` sets it), else in this process alone.
"""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
OTHER_PATH: Final = "other"
"""Label `path` of requests that match no route."""
_BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

disable_created_metrics()  # type: ignore[no-untyped-call]


class RequestMetrics:
    """Request counts and durations by route, and the number of open streams. One instance per application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "peakedex_http_requests", "Requests answered.", ("path", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "peakedex_http_request_seconds",
            "Seconds from receiving a request to the first byte of its response.",
            ("path",),
            buckets=_BOUNDS_SECONDS,
            registry=self._registry,
        )
        self.streams = Gauge(
            "peakedex_streams", "Open live streams.", registry=self._registry, multiprocess_mode="livesum"
        )

    def record(self, route: str | None, status: int, seconds: float) -> None:
        """Count one response. `route` is the URL rule that matched, None if there was none."""
        path = route or OTHER_PATH
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        if MULTIPROCESS_FOLDER not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
