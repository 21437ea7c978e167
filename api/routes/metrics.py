"""/metrics: position of this replica, health of the exchange, and HTTP requests, for Prometheus.

Figures from the database are read at each scrape; requests are counted over all worker processes
(`api.request_metrics`).
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.alarms import check_checkpoints, count_recent_operations
from api.database import Database, Snapshot
from api.http.errors import ApiError
from api.http.parameters import NoParameters
from api.http.resource import PLAIN, DirectEndpoint
from api.http.shapes import Text
from api.http.staleness import find_staleness
from api.machine_metrics import machine_metrics
from api.request_metrics import RequestMetrics
from api.routes.audit.peers import read_peers
from api.routes.health import NODE_STATES
from api.settings import ApiSettings, program_version
from settlement.store.indexer_status import IndexerStatus, read_status
from settlement.store.read.audit.solvency import read_solvency
from settlement.store.read.counts import Totals, count_payouts, count_rejections, read_totals
from settlement.store.read.payouts import STATES
from settlement.store.read.settings import read_upgrade


class MetricsEndpoint:
    """Without a database a scrape succeeds with `peakedex_database_up` 0."""

    def __init__(self, settings: ApiSettings, database: Database, requests: RequestMetrics) -> None:
        self._settings = settings
        self._database = database
        self._requests = requests
        self._rejections = RejectionCounter()

    def endpoint(self) -> DirectEndpoint[NoParameters]:
        return DirectEndpoint(
            "/metrics",
            NoParameters,
            Text,
            "Metrics in Prometheus' text format.",
            self._view,
            group="Operation",
            media=PLAIN,
        )

    def _view(self, _: NoParameters) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Scrape(list(self._collect())))
        response = Response(
            generate_latest(registry) + self._requests.exposition(), content_type=CONTENT_TYPE_LATEST
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    def _collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("peakedex", "Program version.", {"version": program_version()})
        yield from machine_metrics(self._settings)
        try:
            with self._database.snapshot() as snapshot:
                found = [
                    *_position(snapshot, self._settings),
                    *_indexer(snapshot),
                    *_totals(self._rejections, snapshot),
                    *_money(snapshot),
                    *_agreement(snapshot),
                ]
        except (ApiError, SQLAlchemyError):
            found = []
        yield GaugeMetricFamily("peakedex_database_up", "1 while the database answers.", bool(found))
        yield from found


class _Scrape(Collector):
    """The metrics of one scrape."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _position(snapshot: Snapshot, settings: ApiSettings) -> Iterator[Metric]:
    at = snapshot.at
    yield GaugeMetricFamily("peakedex_block", "Last block recorded.", at.block)
    yield CounterMetricFamily("peakedex_trades", "Trades since the first block.", at.last_trade)
    if at.timestamp is not None:
        age = max(0.0, settings.clock() - at.timestamp)
        yield GaugeMetricFamily("peakedex_block_age_seconds", "Age of the last block recorded.", age)
    upgrade = read_upgrade(snapshot.connection)
    if upgrade is not None:
        yield GaugeMetricFamily(
            "peakedex_upgrade_block",
            "First block of an announced protocol upgrade; absent while none is announced.",
            upgrade.block,
        )
    is_behind = find_staleness(snapshot, settings) is not None
    yield GaugeMetricFamily("peakedex_behind", "1 while responses carry a warning.", is_behind)


def _indexer(snapshot: Snapshot) -> Iterator[Metric]:
    status = read_status(snapshot.connection)
    if status is None:
        return
    waiting = status.waiting_for is not None
    yield GaugeMetricFamily("peakedex_waiting", "1 while the indexer is waiting.", waiting)
    if status.irreversible is not None:
        yield GaugeMetricFamily(
            "peakedex_irreversible_block",
            "Last irreversible block according to the nodes.",
            status.irreversible,
        )
        lag = snapshot.at.lag
        yield GaugeMetricFamily("peakedex_lag_blocks", "Irreversible blocks not recorded yet.", lag)
    yield _nodes(status)


def _nodes(status: IndexerStatus) -> Metric:
    family = GaugeMetricFamily(
        "peakedex_node", "1 for the current state of a node.", labels=("kind", "url", "state")
    )
    for node in json.loads(status.nodes or "[]"):
        for state in NODE_STATES:
            family.add_metric([node["kind"], node["url"], state], node["state"] == state)
    return family


class RejectionCounter:
    """Counts rejected intents by code, continuing from the last scrape."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._counted = 0
        self._codes: Counter[str] = Counter()

    def count(self, connection: Connection, totals: Totals) -> dict[str, int]:
        with self._lock:
            if connection.engine is not self._engine:  # another database: start over
                self._engine, self._counted, self._codes = connection.engine, 0, Counter()
            if totals.intents > self._counted:
                self._codes.update(count_rejections(connection, self._counted, totals.intents))
                self._counted = totals.intents
            return dict(sorted(self._codes.items()))


def _totals(rejections: RejectionCounter, snapshot: Snapshot) -> Iterator[Metric]:
    """Totals since the venue's first block."""
    totals = read_totals(snapshot.connection)
    yield CounterMetricFamily(
        "peakedex_blocks", "Active blocks: those in which anything of the venue happened.", totals.blocks
    )
    yield CounterMetricFamily("peakedex_intents", "Intents processed.", totals.intents)
    family = CounterMetricFamily("peakedex_rejections", "Rejected intents by code.", labels=("code",))
    for code, count in rejections.count(snapshot.connection, totals).items():
        family.add_metric([code], count)
    yield family


def _money(snapshot: Snapshot) -> Iterator[Metric]:
    """Liabilities and escrow holdings by token, and pending payouts."""
    held = GaugeMetricFamily("peakedex_holdings", "Escrow balance on chain.", labels=("symbol",))
    owed = GaugeMetricFamily("peakedex_liabilities", "Sum of all account balances.", labels=("symbol",))
    missing = GaugeMetricFamily(
        "peakedex_insolvent", "1 if holdings are below liabilities.", labels=("symbol",)
    )
    real = GaugeMetricFamily(
        "peakedex_real_balance", "Escrow account's balance according to a node.", labels=("symbol",)
    )
    difference = GaugeMetricFamily(
        "peakedex_real_difference", "That balance less the holdings after its block.", labels=("symbol",)
    )
    operations = GaugeMetricFamily(
        "peakedex_escrow_operations",
        "Operations of an escrow account without a journal line in the last week.",
        labels=("account",),
    )
    for account, count in count_recent_operations(snapshot).items():
        operations.add_metric([account], count)
    for row in read_solvency(snapshot.connection):
        if row.real is not None:
            real.add_metric([row.symbol], row.real.units / 10**row.precision)
        if row.real is not None and row.real.difference is not None:
            difference.add_metric([row.symbol], row.real.difference / 10**row.precision)
        liabilities = row.available + row.locked + row.withdrawing
        held.add_metric([row.symbol], row.holdings / 10**row.precision)
        owed.add_metric([row.symbol], liabilities / 10**row.precision)
        missing.add_metric([row.symbol], row.holdings < liabilities)
    payouts = GaugeMetricFamily("peakedex_payouts", "Pending payments by state.", labels=("state",))
    counts = count_payouts(snapshot.connection)
    for state in STATES:
        payouts.add_metric([state], counts.get(state, 0))
    yield from (held, owed, missing, real, difference, operations, payouts)


def _agreement(snapshot: Snapshot) -> Iterator[Metric]:
    """Whether the operator's checkpoints and other replicas agree with this one."""
    status = read_status(snapshot.connection)
    checks = check_checkpoints(snapshot, status)
    wrong = sum(check.disagrees for check in checks)
    yield GaugeMetricFamily(
        "peakedex_checkpoints_disagreeing", "Disagreeing ones of the operator's newest 20 checkpoints.", wrong
    )
    if checks:
        newest = checks[0].row.claimed_block
        yield GaugeMetricFamily("peakedex_checkpoint_block", "Block of the newest checkpoint.", newest)
    up = GaugeMetricFamily("peakedex_peer_up", "1 while the peer answers.", labels=["url"])
    differs = GaugeMetricFamily("peakedex_peer_disagrees", "1 if the peer's hashes differ.", labels=["url"])
    common = GaugeMetricFamily(
        "peakedex_peer_common_block", "Newest block whose journal hashes were compared.", labels=["url"]
    )
    lag = GaugeMetricFamily(
        "peakedex_peer_lag_blocks", "Blocks the peer is behind this replica.", labels=["url"]
    )
    silent = GaugeMetricFamily(
        "peakedex_peer_silent_seconds", "Seconds since the peer's last answer.", labels=["url"]
    )
    for peer in read_peers(status):
        up.add_metric([peer.url], peer.error is None and peer.answered is not None)
        differs.add_metric([peer.url], peer.state == "disagrees")
        if peer.common_block is not None:
            common.add_metric([peer.url], peer.common_block)
        if peer.lag is not None and peer.answered is not None:
            lag.add_metric([peer.url], peer.lag)
        if status is not None and peer.answered is not None:
            # Both times are by the clock of the indexer's host; this host's may differ.
            silent.add_metric([peer.url], max(0, status.updated - peer.answered))
    yield from (up, differs, common, lag, silent)
