"""Endpoints: their declaration, and how responses are rendered, cached and sent.

A view is a function from a database snapshot and parameters to a Struct. Common to all of them are one
snapshot per request, past blocks, the response cache, conditional requests (`api.http.etag`), and the warning
while the database is behind the chain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, Generic, TypeVar

from cachetools import LRUCache
from flask import Flask, Response, request
from msgspec import UNSET

from api.database import Database, Snapshot
from api.http.errors import encode
from api.http.etag import (
    JSON,
    RenderedBody,
    accepts_gzip,
    conditional_response,
    content_etag,
    snapshot_etag,
    vary_by_encoding,
)
from api.http.parameters import ParameterReader
from api.http.shapes import Answer, Text
from api.http.staleness import Staleness, find_staleness
from api.settings import ApiSettings, program_version

PLAIN: Final = "text/plain; charset=utf-8"
CACHE_BYTES: Final = 16 << 20
MAX_CACHED_BYTES: Final = CACHE_BYTES // 8
"""A larger body is neither cached, because it would displace too many others, nor compressed."""
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[P]):
    """Declaration of an endpoint, from which parameters are parsed and OpenAPI is generated."""

    path: str  # as Flask writes it: /api/orders/<id>
    parameters: type[P]  # a dataclass, see api.http.parameters
    answer: Any  # type of the body: a Struct, a union of Structs, a list of them, or Text
    summary: str
    _: KW_ONLY
    errors: tuple[str, ...] = ()  # codes beyond E_INPUT and those of every endpoint
    headers: Mapping[str, str] = field(default_factory=dict)  # its own response headers: name, description
    group: str = "Market"  # its heading in the documentation
    media: str = JSON


@dataclass(frozen=True, slots=True)
class Resource(Endpoint[P]):
    """An endpoint over one snapshot. A parameter named `block` selects the snapshot of a past block.

    `live`: its content also changes between blocks, so its ETag is a hash of the content.
    """

    view: Callable[[Snapshot, P], object]
    live: bool = False


@dataclass(frozen=True, slots=True)
class DirectEndpoint(Endpoint[P]):
    """An endpoint without a snapshot, whose view makes the response."""

    view: Callable[[P], Response]
    conditional: bool = False  # whether it supports ETag and 304


class ResourceServer:
    """Answers requests for resources from one database.

    Rendered bodies are kept in an LRU cache, keyed by ETag and encoding. An ETag names everything that its
    body depends on, so entries never need to be invalidated.
    """

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._version = program_version()
        self._cache: LRUCache[tuple[str, bool], RenderedBody] = LRUCache(
            CACHE_BYTES, getsizeof=lambda body: len(body.content)
        )
        self._cache_lock = threading.Lock()

    def add(self, app: Flask, endpoint: Endpoint[Any]) -> None:
        """Add the endpoint's route to the application."""
        reader = ParameterReader(endpoint.parameters)

        def respond(**path_values: str) -> Response:
            parameters = reader.read(path_values, request.args)
            if isinstance(endpoint, Resource):
                return self._respond(endpoint, parameters)
            assert isinstance(endpoint, DirectEndpoint)
            return endpoint.view(parameters)

        app.add_url_rule(endpoint.path, endpoint.path, respond, methods=["GET"])

    def _respond(self, resource: Resource[Any], parameters: Any) -> Response:
        block = getattr(parameters, "block", None)
        compress = accepts_gzip()
        with self._database.snapshot() as tip:
            snapshot = tip if block is None else tip.past(block)
            staleness = find_staleness(tip, self._settings)
            if resource.live:
                body = _render(resource, resource.view(snapshot, parameters), staleness)
                etag = content_etag(snapshot.block, body.content)
                return conditional_response(vary_by_encoding(body, compress=compress), etag)
            etag = snapshot_etag(snapshot, tip.at, staleness, self._version)
            with self._cache_lock:
                cached = self._cache.get((etag, compress))
            body = cached or _render(resource, resource.view(snapshot, parameters), staleness)
        if cached is None and len(body.content) <= MAX_CACHED_BYTES:
            body = vary_by_encoding(body, compress=compress)
            with self._cache_lock:
                self._cache[etag, compress] = body
        return conditional_response(body, etag)


def _render(resource: Resource[Any], answer: object, staleness: Staleness | None) -> RenderedBody:
    """Encode an answer, with the warning in its headers and, for our own JSON format, in its body."""
    headers: tuple[tuple[str, str], ...] = ()
    if staleness is not None:
        headers = (("Warning", f'199 peakedex "{staleness.sentence}"'),)
    if isinstance(answer, Text):
        return RenderedBody(answer.text.encode(), resource.media, (*answer.headers.items(), *headers))
    if isinstance(answer, Answer) and staleness is not None:
        answer.warning = staleness.sentence
        answer.lag = UNSET if staleness.lag is None else staleness.lag
    return RenderedBody(encode(answer), headers=headers)
