"""How often one client may ask (Flask-Limiter), counted in each process or together in Redis."""

from __future__ import annotations

import time
from typing import Final

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from api.client import Clients
from api.errors import problem
from api.settings import ApiSettings, SettingsError

# Those that watch over the server must see it when it is busiest.
_FREE: Final = frozenset(("/api/health", "/api/ready"))


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


def register(app: Flask, settings: ApiSettings, clients: Clients) -> None:
    """Put a limit on everything under /api. Raises SettingsError where the store cannot be used."""
    if settings.rate_limit is None:
        return
    check_store(settings)
    limiter = Limiter(
        lambda: clients.key(request),
        app=app,
        application_limits=[settings.rate_limit],
        storage_uri=settings.limit_store,
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
        key_prefix="peakedex",
    )
    limiter.request_filter(_is_free)

    def too_many(_: RateLimitExceeded) -> Response:
        current = limiter.current_limit
        seconds = 1 if current is None else max(1, round(current.reset_at - time.time()))
        sentence = f"Too many requests from your address: the limit is {settings.rate_limit}."
        return problem("E_TOO_MANY", sentence, seconds)

    app.register_error_handler(RateLimitExceeded, too_many)


def _is_free() -> bool:
    return not request.path.startswith("/api/") or request.path in _FREE
