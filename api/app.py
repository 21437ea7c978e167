"""The WSGI application: API endpoints over one read-only database, and the static site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.exceptions import MethodNotAllowed

from api import site
from api.database import Database
from api.feeds import atom, coingecko, coinmarketcap, udf
from api.heartbeat import HeartbeatMonitor
from api.http import errors
from api.http.client_address import ClientAddresses
from api.http.docs import Docs
from api.http.limits import register_rate_limit
from api.http.request_log import RequestLog
from api.http.resource import Resource, ResourceServer
from api.request_metrics import RequestMetrics
from api.routes.accounts import (
    balances,
    deposits,
    grants,
    intents,
    orders,
    statement,
    timers,
    transfers,
    withdrawals,
)
from api.routes.accounts.validate_account import account_endpoint
from api.routes.audit import blocks, checkpoints, journal, peers, solvency, state
from api.routes.audit.liabilities import liabilities_resource
from api.routes.audit.proof import LiabilityTrees, proof_resource
from api.routes.health import Health
from api.routes.market import candles, history, marks, orderbook, pairs, price
from api.routes.market.venue import venue_resource
from api.routes.metrics import MetricsEndpoint
from api.routes.stream import stream_endpoint
from api.settings import ApiSettings
from api.stream.publisher import Publisher

DATABASE: Final = "peakedex.database"
PUBLISHER: Final = "peakedex.publisher"
"""Keys in `app.extensions`, for programs that close an application before they end."""


def create_app(settings: ApiSettings, is_stopping: Callable[[], bool] = lambda: False) -> Flask:
    """The WSGI application. The database may be missing: endpoints that need it answer 503 until it exists.

    Live streams end soon after `is_stopping` returns True.
    """
    app = Flask("peakedex", static_folder=None)
    app.url_map.merge_slashes = False  # an API answers 404 instead of redirecting
    addresses = ClientAddresses(settings.trusted_proxies)
    metrics = RequestMetrics()
    database = Database(settings.database_url, HeartbeatMonitor(settings.monotonic))
    server = ResourceServer(settings, database)
    publisher = Publisher(
        database,
        settings.database_url,
        settings.streams,
        count=metrics.streams.inc,
        is_stopping=is_stopping,
    )
    app.extensions |= {DATABASE: database, PUBLISHER: publisher}
    RequestLog(addresses, metrics, access_log=settings.access_log).register(app)
    errors.register(app)
    app.before_request(_reject_writes)
    register_rate_limit(app, settings, addresses)
    endpoints = (
        *resources(settings),
        account_endpoint(settings),
        stream_endpoint(publisher),
        udf.time_endpoint(settings.clock),
        *Health(settings, database).endpoints(),
        MetricsEndpoint(settings, database, metrics).endpoint(),
    )
    docs = Docs(endpoints)
    for endpoint in (*endpoints, *docs.endpoints):
        server.add(app, endpoint)
    docs.serve_files(app)
    site.register(app, settings.frontend)
    if settings.cors_origins:
        own_headers = {name for endpoint in endpoints for name in endpoint.headers}
        _allow_origins(app, settings.cors_origins, sorted(own_headers))
    return app


def resources(settings: ApiSettings) -> tuple[Resource[Any], ...]:
    """Every endpoint over a snapshot of the database."""
    trees = LiabilityTrees()
    return (
        venue_resource(settings.network),
        pairs.resource,
        marks.resource,
        orderbook.resource,
        history.resource,
        price.resource,
        balances.resource,
        orders.list_resource,
        orders.one_resource,
        grants.resource,
        timers.resource,
        intents.resource,
        intents.ref_resource,
        candles.resource,
        deposits.resource,
        withdrawals.resource,
        transfers.resource,
        statement.resource,
        statement.profit_resource,
        statement.file_resource,
        atom.resource,
        blocks.resource,
        journal.resource,
        state.resource,
        solvency.resource,
        checkpoints.resource,
        peers.resource,
        proof_resource(trees),
        liabilities_resource(trees),
        *coingecko.resources,
        *coinmarketcap.resources,
        *udf.resources,
    )


def _allow_origins(app: Flask, origins: tuple[str, ...], headers: list[str]) -> None:
    """Let pages of these origins read the API and the named headers, without credentials (CORS)."""
    CORS(
        app,
        resources={r"/api/*": {}},
        origins=list(origins),
        methods=list(errors.READ_METHODS),
        allow_headers=["If-None-Match", "Last-Event-ID"],
        expose_headers=["ETag", "Retry-After", "Warning", "X-Request-Id", *headers],
        supports_credentials=False,
        send_wildcard=False,
        max_age=600,
    )
    app.after_request(_vary_by_origin)


def _vary_by_origin(response: Response) -> Response:
    """Keep shared caches from giving one origin's response to another."""
    response.vary.add("Origin")
    return response


def _reject_writes() -> None:
    """Answer 405 to every method that could write, at any address."""
    if request.method not in errors.READ_METHODS:
        raise MethodNotAllowed(errors.READ_METHODS)
