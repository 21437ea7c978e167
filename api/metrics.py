"""/metrics: where this replica stands, for Prometheus. Counted from the database at each scrape."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from api.database import Database, Snapshot
from api.errors import ApiError
from api.settings import ApiSettings, program_version
from settlement.store.status import IndexerStatus, read_status

NODE_STATES = ("ok", "resting", "disagrees")


class Metrics:
    """The path over one database. Without a database the scrape works, and says so."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def view(self) -> Response:
        """All metrics in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Scrape(list(self._collect())))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    def _collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("peakedex", "The program.", {"version": program_version()})
        try:
            with self._database.snapshot() as snapshot:
                found = [*_position(snapshot, self._settings.clock()), *_indexer(snapshot)]
        except (ApiError, SQLAlchemyError):
            found = []
        yield GaugeMetricFamily("peakedex_database_up", "1 while the database answers.", bool(found))
        yield from found


class _Scrape(Collector):
    """What one scrape found, in the form that the library asks for."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _position(snapshot: Snapshot, now: float) -> Iterator[Metric]:
    at = snapshot.at
    yield GaugeMetricFamily("peakedex_block", "Number of the last block recorded.", at.block)
    yield CounterMetricFamily("peakedex_trades", "Trades since the first block.", at.last_trade)
    if at.timestamp is not None:
        age = max(0.0, now - at.timestamp)
        yield GaugeMetricFamily("peakedex_block_age_seconds", "Age of the last block recorded.", age)


def _indexer(snapshot: Snapshot) -> Iterator[Metric]:
    status = read_status(snapshot.connection)
    if status is None:
        return
    waiting = status.waiting_for is not None
    yield GaugeMetricFamily("peakedex_waiting", "1 while the indexer waits for something.", waiting)
    if status.irreversible is not None:
        lag = max(0, status.irreversible - snapshot.at.block)
        yield GaugeMetricFamily("peakedex_irreversible_block", "As the nodes agree.", status.irreversible)
        yield GaugeMetricFamily("peakedex_lag_blocks", "Irreversible blocks not recorded yet.", lag)
    yield _nodes(status)


def _nodes(status: IndexerStatus) -> Metric:
    family = GaugeMetricFamily(
        "peakedex_node", "1 for the state that a node is in.", labels=("kind", "url", "state")
    )
    for node in json.loads(status.nodes or "[]"):
        for state in NODE_STATES:
            family.add_metric([node["kind"], node["url"], state], node["state"] == state)
    return family
