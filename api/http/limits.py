"""How often one client may ask (Flask-Limiter), counted in each process or together in Redis."""

from __future__ import annotations

import time
from typing import Final

from flask import Flask, Request, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from api.http.client_address import Clients
from api.http.errors import problem
from api.settings import ApiSettings, SettingsError

# Those that watch over the server must see it when it is busiest.
_FREE: Final = frozenset(("/api/health", "/api/ready"))
_PREFIX: Final = "peakedex"
_SCOPE: Final = "global"
"""What Flask-Limiter calls the limits of a whole application."""


def check_store(settings: ApiSettings) -> None:
    """Raises SettingsError where the store of the limits cannot be used."""
    if settings.rate_limit is None:
        return
    try:
        storage_from_string(settings.limit_store)
    except ConfigurationError as error:
        raise SettingsError(
            f"limit_store: {settings.limit_store!r} cannot be used: {error}. Write memory:// or "
            "redis://HOST:6379, for which `pip install peakedex[redis]` brings what is needed"
        ) from error


class Limits:
    """A limit on everything under /api. While its store fails, each process counts for itself."""

    def __init__(self, app: Flask, settings: ApiSettings, clients: Clients) -> None:
        """Raises SettingsError where the store cannot be used."""
        check_store(settings)
        self._text = settings.rate_limit or ""
        self._items = parse_many(self._text) if self._text else []
        self._clients = clients
        self._limiter = Limiter(
            lambda: clients.key(request),
            application_limits=[self._text] if self._text else [],
            storage_uri=settings.limit_store if self._text else "memory://",
            storage_options={"wrap_exceptions": True},
            strategy="fixed-window",
            in_memory_fallback_enabled=True,
            key_prefix=_PREFIX,
        )
        self._limiter.request_filter(lambda: _is_free(request))
        app.register_error_handler(RateLimitExceeded, self._too_many)

    def register(self, app: Flask) -> None:
        """Count what the application sees from here on, if there is a limit."""
        if self._items:
            self._limiter.init_app(app)

    def admits(self, asked: Request) -> bool:
        """Count a request that the application will not see, together with those that it does.

        False: let the application see it. It says no, or finds out what is wrong with the store.
        """
        if not self._items or _is_free(asked):
            return True
        client = self._clients.key(asked)
        try:
            return all(self._limiter.limiter.hit(item, _PREFIX, client, _SCOPE) for item in self._items)
        except StorageError:
            return False

    def _too_many(self, _: RateLimitExceeded) -> Response:
        current = self._limiter.current_limit
        seconds = 1 if current is None else max(1, round(current.reset_at - time.time()))
        return problem(
            "E_TOO_MANY", f"Too many requests from your address: the limit is {self._text}.", seconds
        )


def _is_free(asked: Request) -> bool:
    return not asked.path.startswith("/api/") or asked.path in _FREE
