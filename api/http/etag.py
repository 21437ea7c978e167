"""ETags and conditional requests: If-None-Match is answered with 304 while the body is unchanged."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NamedTuple

from flask import Response, request

from api.database import Snapshot
from api.http.staleness import Staleness
from settlement.store.read.position import Position

JSON: Final = "application/json"


class RenderedBody(NamedTuple):
    """Body of a 200 response."""

    content: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def snapshot_etag(snapshot: Snapshot, tip: Position, staleness: Staleness | None, version: str) -> str:
    """ETag of a response to the current request: block, and a hash of everything that the body depends on.

    `tip` is the newest block, `snapshot` possibly a past one, `version` the program's.
    """
    inputs = (version, tip.venue_hash, snapshot.journal_hash, staleness, request.path, request.query_string)
    return f"{snapshot.block}-{sha256(repr(inputs).encode()).hexdigest()[:24]}"


def content_etag(block: int | None, content: bytes) -> str:
    """ETag of a body that changes without a new block."""
    return f"{block}-{sha256(content).hexdigest()[:24]}"


def conditional_response(body: RenderedBody, etag: str) -> Response:
    """The response with its ETag; 304 without a body if If-None-Match names the same ETag."""
    response = Response(body.content, 200, content_type=body.content_type)
    response.headers.extend(body.headers)
    response.set_etag(etag, weak=True)  # proxies may compress it
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response
