"""The application: resources over one read-only database, and the site."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.exceptions import MethodNotAllowed

from api import balances, errors, history, intents, orderbook, orders, pairs, price, site
from api.database import Database
from api.health import Health
from api.metrics import Metrics
from api.resource import Resource, Server
from api.settings import ApiSettings, program_version
from api.venue import venue_resource


def create_app(settings: ApiSettings) -> Flask:
    """A WSGI application. The database may still be missing; whatever needs it answers 503 until then."""
    app = Flask("peakedex", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect is no answer of an API
    errors.register(app)
    app.before_request(_only_read)
    database = Database(settings.database_url)
    server = Server(database, program_version())
    for resource in resources(settings):
        server.add(app, resource)
    health = Health(settings, database)
    app.add_url_rule("/api/health", "health", health.health, methods=["GET"])
    app.add_url_rule("/api/ready", "ready", health.ready, methods=["GET"])
    app.add_url_rule("/metrics", "metrics", Metrics(settings, database).view, methods=["GET"])
    site.register(app, settings.frontend)
    if settings.cors_origins:
        _let_in(app, settings.cors_origins)
    return app


def resources(settings: ApiSettings) -> tuple[Resource[Any], ...]:
    """Every path that speaks of one block."""
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
    )


def _let_in(app: Flask, origins: tuple[str, ...]) -> None:
    """Let the pages of these sites read the API, without cookies or the like."""
    CORS(
        app,
        resources={r"/api/*": {}},
        origins=list(origins),
        methods=list(errors.READ_METHODS),
        allow_headers=["If-None-Match"],
        expose_headers=["ETag", "Retry-After"],
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
