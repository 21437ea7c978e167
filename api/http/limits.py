"""Rate limits per client address (Flask-Limiter), counted per process or shared in Redis."""

from __future__ import annotations

import time
from typing import Final

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from api.http.client_address import ClientAddresses
from api.http.errors import problem
from api.settings import ApiSettings, SettingsError

# Monitoring must get through when the server is busiest.
_UNLIMITED: Final = frozenset(("/api/health", "/api/ready"))


def check_limit_store(settings: ApiSettings) -> None:
    """Raises SettingsError if the store of the counters cannot be used."""
    if settings.rate_limit is None:
        return
    try:
        storage_from_string(settings.limit_store)
    except ConfigurationError as error:
        raise SettingsError(
            f"limit_store: {settings.limit_store!r} cannot be used: {error}. Use memory:// or "
            "redis://HOST:6379, which needs `pip install peakedex[redis]`"
        ) from error


def register_rate_limit(app: Flask, settings: ApiSettings, addresses: ClientAddresses) -> None:
    """Limit requests below /api/. While the store fails, each process counts for itself.

    Raises SettingsError if the store cannot be used.
    """
    limit = settings.rate_limit
    if limit is None:
        return
    check_limit_store(settings)
    limiter = Limiter(
        lambda: addresses.rate_limit_key(request),
        application_limits=[limit],
        storage_uri=settings.limit_store,
        storage_options={"wrap_exceptions": True},
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
        key_prefix="peakedex",
    )
    limiter.request_filter(lambda: not request.path.startswith("/api/") or request.path in _UNLIMITED)

    def too_many_requests(_: RateLimitExceeded) -> Response:
        current = limiter.current_limit
        seconds = 1 if current is None else max(1, round(current.reset_at - time.time()))
        sentence = f"Too many requests from your address: the limit is {limit}."
        return problem("E_TOO_MANY", sentence, seconds)

    app.register_error_handler(RateLimitExceeded, too_many_requests)
    limiter.init_app(app)
