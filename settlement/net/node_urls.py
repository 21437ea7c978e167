"""URLs of nodes and other servers, and which of them name the same node, so that none counts twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def split_http_url(text: str) -> SplitResult | None:
    """The parts of an http or https URL with a host; None for any other text."""
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_valid else None


def distinct(urls: Iterable[str]) -> tuple[str, ...]:
    """The URLs of different nodes in order, as first written."""
    by_place: dict[object, str] = {}
    for url in urls:
        by_place.setdefault(_place(url), url)
    return tuple(by_place.values())


def _place(url: str) -> object:
    """Host, port and path; with and without TLS it is the same node, if both ports are the usual ones."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return url
    if port == _DEFAULT_PORTS.get(parts.scheme):
        port = None
    return (parts.hostname or "").rstrip("."), port, parts.path.rstrip("/"), parts.query
