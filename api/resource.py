"""A path of the API: its parameters, its view, and how its answer is sent.

A view is a plain function from a snapshot and parameters to a body. Everything that all paths have in
common is here: one snapshot each, `block` and `ts` in front, ETag and 304, the newest answers kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

from flask import Flask, Response, request

from api.answers import Answers
from api.database import Database, Snapshot
from api.errors import encode
from api.parameters import Reader
from api.show import iso
from settlement.store.queries.position import Position

Body = dict[str, Any]
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Resource(Generic[P]):
    """One path, as Flask writes it. `summary` says in a line what it gives."""

    path: str
    parameters: type[P]
    view: Callable[[Snapshot, P], Body]
    summary: str


class Server:
    """Answers requests for resources out of one database."""

    def __init__(self, database: Database, version: str) -> None:
        self._database = database
        self._version = version
        self._answers = Answers()

    def add(self, app: Flask, resource: Resource[Any]) -> None:
        reader = Reader(resource.parameters)

        def respond(**in_path: str) -> Response:
            parameters = reader.read(in_path, request.args)
            with self._database.snapshot() as snapshot:
                etag = self._etag(snapshot.at)
                held = request.if_none_match
                if not held.star_tag and held.contains_weak(etag):
                    return send(None, etag)
                body = self._answers.get(etag)
                if body is None:
                    body = encode(with_position(snapshot.at, resource.view(snapshot, parameters)))
                    self._answers.put(etag, body)
            return send(body, etag)

        app.add_url_rule(resource.path, resource.path, respond, methods=["GET"])

    def _etag(self, at: Position) -> str:
        """Names the block and all else that the answer depends on: the address, and this program."""
        seen = (self._version, at.venue_hash, at.journal_hash, request.path, request.query_string)
        return f"{at.block}-{sha256(repr(seen).encode()).hexdigest()[:24]}"


def with_position(at: Position, body: Mapping[str, Any]) -> Body:
    """The body, with the block and the time of which it speaks in front."""
    return {"block": at.block, "ts": None if at.timestamp is None else iso(at.timestamp), **body}


def send(body: bytes | None, etag: str, status: int = 200) -> Response:
    """An answer with its ETag; 304 without a body where the client holds it already."""
    if body is None or (status == 200 and request.if_none_match.contains_weak(etag)):
        response = Response(status=304)
        response.headers.pop("Content-Type", None)
    else:
        response = Response(body, status, mimetype="application/json")
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"
    return response
