"""/metrics: where this replica stands and what it is asked, for Prometheus.

What the database knows is read at each scrape, so all processes tell the same; what the server counts is
kept in memory that they share.
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
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.alarms import read_claims
from api.database import Database, Snapshot
from api.http.errors import ApiError
from api.http.parameters import NoParameters
from api.http.request_log import Trace
from api.http.resource import PLAIN, Direct
from api.http.shapes import Text
from api.http.staleness import behind
from api.routes.audit.peers import read_peers
from api.routes.health import NODE_STATES
from api.settings import ApiSettings, program_version
from api.worker_metrics import BOUNDS_SECONDS, Tally
from settlement.store.read.audit.solvency import read_solvency
from settlement.store.read.counts import Totals, count_payouts, count_rejections, read_totals
from settlement.store.read.payouts import STATES
from settlement.store.status import IndexerStatus, read_status


class Metrics:
    """The path over one database. Without a database the scrape works, and says so."""

    def __init__(self, settings: ApiSettings, database: Database, trace: Trace, tally: Tally) -> None:
        self._settings = settings
        self._database = database
        self._trace = trace
        self._tally = tally
        self._rejections = Rejections()

    def path(self) -> Direct[NoParameters]:
        return Direct(
            "/metrics",
            NoParameters,
            Text,
            "Figures for Prometheus, in its text format.",
            self._view,
            group="Operation",
            media=PLAIN,
        )

    def _view(self, _: NoParameters) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Scrape(list(self._collect())))
        response = Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("peakedex", "The program.", {"version": program_version()})
        try:
            with self._database.snapshot() as snapshot:
                found = [
                    *_position(snapshot, self._settings),
                    *_indexer(snapshot),
                    *_counted(self._rejections, snapshot),
                    *_money(snapshot),
                    *_agreement(snapshot, self._settings),
                ]
        except (ApiError, SQLAlchemyError):
            found = []
        yield GaugeMetricFamily("peakedex_database_up", "1 while the database answers.", bool(found))
        yield from found
        yield from self._asked()

    def _asked(self) -> Iterator[Metric]:
        """What the processes of this server were asked since it started."""
        requests = CounterMetricFamily(
            "peakedex_http_requests", "Requests answered.", labels=("path", "status")
        )
        seconds = HistogramMetricFamily(
            "peakedex_http_request_seconds",
            "From a request to the first byte of its answer.",
            labels=["path"],
        )
        for number, path in enumerate(self._trace.paths.names):
            counts = self._tally.path(number)
            if not any(counts.buckets):
                continue
            for status, count in counts.statuses.items():
                if count:
                    requests.add_metric([path, str(status)], count)
            total, buckets = 0, []
            for bound, count in zip((*map(str, BOUNDS_SECONDS), "+Inf"), counts.buckets, strict=True):
                total += count
                buckets.append((bound, total))
            seconds.add_metric([path], buckets, counts.seconds)
        yield requests
        yield seconds
        yield GaugeMetricFamily(
            "peakedex_streams", "Live streams that are open.", self._tally.gauge("streams")
        )


class _Scrape(Collector):
    """What one scrape found, in the form that the library asks for."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _position(snapshot: Snapshot, settings: ApiSettings) -> Iterator[Metric]:
    at = snapshot.at
    yield GaugeMetricFamily("peakedex_block", "Number of the last block recorded.", at.block)
    yield CounterMetricFamily("peakedex_trades", "Trades since the first block.", at.last_trade)
    if at.timestamp is not None:
        age = max(0.0, settings.clock() - at.timestamp)
        yield GaugeMetricFamily("peakedex_block_age_seconds", "Age of the last block recorded.", age)
    is_behind = behind(at, settings) is not None
    yield GaugeMetricFamily("peakedex_behind", "1 while answers carry a warning.", is_behind)


def _indexer(snapshot: Snapshot) -> Iterator[Metric]:
    status = read_status(snapshot.connection)
    if status is None:
        return
    waiting = status.waiting_for is not None
    yield GaugeMetricFamily("peakedex_waiting", "1 while the indexer waits for something.", waiting)
    if status.irreversible is not None:
        yield GaugeMetricFamily("peakedex_irreversible_block", "As the nodes agree.", status.irreversible)
        lag = snapshot.at.lag
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


class Rejections:
    """Rejected intents by code, counted on from the last scrape: each intent is looked at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._until = 0
        self._codes: Counter[str] = Counter()

    def count(self, connection: Connection, totals: Totals) -> dict[str, int]:
        with self._lock:
            if connection.engine is not self._engine:  # another database: from the start
                self._engine, self._until, self._codes = connection.engine, 0, Counter()
            if totals.intents > self._until:
                self._codes.update(count_rejections(connection, self._until, totals.intents))
                self._until = totals.intents
            return dict(sorted(self._codes.items()))


def _counted(rejections: Rejections, snapshot: Snapshot) -> Iterator[Metric]:
    """What the ledger counts since the venue's first block."""
    totals = read_totals(snapshot.connection)
    yield CounterMetricFamily("peakedex_blocks", "Blocks in which anything of ours happened.", totals.blocks)
    yield CounterMetricFamily("peakedex_intents", "Signed instructions judged.", totals.intents)
    family = CounterMetricFamily("peakedex_rejections", "Those rejected, by code.", labels=("code",))
    for code, count in rejections.count(snapshot.connection, totals).items():
        family.add_metric([code], count)
    yield family


def _money(snapshot: Snapshot) -> Iterator[Metric]:
    """What is owed and held by token, and what waits to be paid out."""
    held = GaugeMetricFamily("peakedex_holdings", "In escrow, as the chain shows.", labels=("symbol",))
    owed = GaugeMetricFamily("peakedex_liabilities", "What accounts hold at the venue.", labels=("symbol",))
    missing = GaugeMetricFamily("peakedex_insolvent", "1 where less is held than owed.", labels=("symbol",))
    for row in read_solvency(snapshot.connection):
        liabilities = row.available + row.locked + row.withdrawing
        held.add_metric([row.symbol], row.holdings / 10**row.precision)
        owed.add_metric([row.symbol], liabilities / 10**row.precision)
        missing.add_metric([row.symbol], row.holdings < liabilities)
    payouts = GaugeMetricFamily("peakedex_payouts", "Payments to be made, by state.", labels=("state",))
    counts = count_payouts(snapshot.connection)
    for state in STATES:
        payouts.add_metric([state], counts.get(state, 0))
    yield from (held, owed, missing, payouts)


def _agreement(snapshot: Snapshot, settings: ApiSettings) -> Iterator[Metric]:
    """Whether the operator's claims and other replicas agree with us."""
    status = read_status(snapshot.connection)
    claims = read_claims(snapshot, status)
    wrong = sum(claim.disagrees for claim in claims)
    yield GaugeMetricFamily("peakedex_checkpoints_disagreeing", "Of the operator's newest 20 claims.", wrong)
    if claims:
        newest = claims[0].row.claimed_block
        yield GaugeMetricFamily("peakedex_checkpoint_block", "The last block claimed.", newest)
    up = GaugeMetricFamily("peakedex_peer_up", "1 while it answers well.", labels=["url"])
    differs = GaugeMetricFamily("peakedex_peer_disagrees", "1 where its hashes differ.", labels=["url"])
    common = GaugeMetricFamily("peakedex_peer_common_block", "Last journals compared.", labels=["url"])
    lag = GaugeMetricFamily("peakedex_peer_lag_blocks", "How far it is behind us.", labels=["url"])
    silent = GaugeMetricFamily("peakedex_peer_silent_seconds", "Since its last answer.", labels=["url"])
    for peer in read_peers(status):
        up.add_metric([peer.url], peer.error is None and peer.answered is not None)
        differs.add_metric([peer.url], peer.state == "disagrees")
        if peer.common_block is not None:
            common.add_metric([peer.url], peer.common_block)
        if peer.lag is not None and peer.answered is not None:
            lag.add_metric([peer.url], peer.lag)
            silent.add_metric([peer.url], max(0.0, settings.clock() - peer.answered))
    yield from (up, differs, common, lag, silent)
