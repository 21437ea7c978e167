"""The application: resources over one read-only database, and the site."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.exceptions import MethodNotAllowed

from api import site
from api.database import Database
from api.feeds import coingecko, coinmarketcap, udf
from api.http import compression, errors
from api.http.client_address import Clients
from api.http.docs import Docs
from api.http.limits import Limits
from api.http.ready import ReadyAnswers
from api.http.request_log import Trace
from api.http.resource import Resource, Server
from api.routes.accounts import balances, deposits, intents, orders, transfers, withdrawals
from api.routes.accounts.validate_account import account_path
from api.routes.audit import blocks, checkpoints, journal, peers, solvency, state
from api.routes.audit.liabilities import liabilities_resource
from api.routes.audit.proof import Forests, proof_resource
from api.routes.health import Health
from api.routes.market import candles, history, orderbook, pairs, price
from api.routes.market.venue import venue_resource
from api.routes.metrics import Metrics
from api.routes.stream import stream_of
from api.settings import ApiSettings
from api.worker_metrics import Slot, Tally


def create_app(settings: ApiSettings, slot: Slot | None = None) -> Flask:
    """A WSGI application. The database may still be missing; whatever needs it answers 503 until then.

    `slot` is where this process counts, beside the others of the same server.
    """
    app = Flask("peakedex", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect is no answer of an API
    slot = slot or Tally().slot(0)
    clients = Clients(settings.trusted_proxies)
    trace = Trace(clients, slot, access_log=settings.access_log)
    database = Database(settings.database_url, settings.fresh_seconds)
    server = Server(settings, database)
    limits = Limits(app, settings, clients)
    ReadyAnswers(app, trace, limits, server.mark)
    trace.register(app)
    errors.register(app)
    app.before_request(_only_read)
    limits.register(app)
    compression.register(app)
    metrics = Metrics(settings, database, trace, slot.tally)
    stream = stream_of(app, settings, database, slot)
    health = Health(settings, database)
    paths = (
        *resources(settings),
        account_path(settings),
        stream.path(),
        udf.time_resource(settings.clock),
        *health.paths(),
        metrics.path(),
    )
    docs = Docs(paths)
    for path in (*paths, *docs.paths):
        server.add(app, path)
    docs.serve_files(app)
    site.register(app, settings.frontend)
    if settings.cors_origins:
        own = {name for path in paths for name in path.headers}
        _let_in(app, settings.cors_origins, sorted(own))
    trace.name_paths(app)
    return app


def resources(settings: ApiSettings) -> tuple[Resource[Any], ...]:
    """Every path that speaks of one block."""
    forests = Forests()
    return (
        venue_resource(settings.network),
        pairs.resource,
        orderbook.resource,
        history.resource,
        price.resource,
        balances.resource,
        orders.list_resource,
        orders.one_resource,
        intents.resource,
        intents.ref_resource,
        candles.resource,
        deposits.resource,
        withdrawals.resource,
        transfers.resource,
        blocks.resource,
        journal.resource,
        state.resource,
        solvency.resource,
        checkpoints.resource,
        peers.resource,
        proof_resource(forests),
        liabilities_resource(forests),
        *coingecko.resources,
        *coinmarketcap.resources,
        *udf.resources,
    )


def _let_in(app: Flask, origins: tuple[str, ...], headers: list[str]) -> None:
    """Let the pages of these sites read the API and these headers of it, without cookies or the like."""
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
    app.after_request(_varies_by_origin)


def _varies_by_origin(response: Response) -> Response:
    """No cache may give one site's answer to another."""
    response.vary.add("Origin")
    return response


def _only_read() -> None:
    """Nothing here can be changed, whatever the address."""
    if request.method not in errors.READ_METHODS:
        raise MethodNotAllowed(errors.READ_METHODS)
