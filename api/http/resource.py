"""A path of the API: its parameters, its view, its answer, and how that is sent.

A view is a plain function from a snapshot and parameters to a Struct. Everything that all paths have in
common is here: one snapshot each, past blocks, ETag and 304, the newest answers kept, the warning while
the indexer is behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from hashlib import sha256
from typing import Any, Final, Generic, NamedTuple, TypeVar

from flask import Flask, Response, g, request
from msgspec import UNSET

from api.database import Database, Snapshot
from api.http.answers import JSON, Body, Kept
from api.http.errors import encode
from api.http.parameters import Reader
from api.http.shapes import Answer, Text
from api.http.single_flight import Flights
from api.http.staleness import Behind, behind
from api.settings import ApiSettings, program_version
from settlement.store.read.position import Position

PLAIN: Final = "text/plain; charset=utf-8"
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Path(Generic[P]):
    """What is said about a path, as Flask writes it: enough to read its parameters and to describe it.

    `answer` is the type of what it gives: a Struct, a union of Structs, a list of them, or Text. `errors`
    are the codes that it may give beyond E_INPUT and those that every path may give. `headers` names
    headers of its own, each with what it says. `group` is its heading in the description.
    """

    path: str
    parameters: type[P]
    answer: Any
    summary: str
    _: KW_ONLY
    errors: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    group: str = "Market"
    media: str = JSON


@dataclass(frozen=True, slots=True)
class Resource(Path[P]):
    """A path that speaks of one block. A parameter named `block` asks for a past one: the snapshot is
    then of that block. `live`: what it says changes without a block, so its ETag is of the answer itself."""

    view: Callable[[Snapshot, P], object]
    live: bool = False


@dataclass(frozen=True, slots=True)
class Direct(Path[P]):
    """A path that needs no snapshot, and makes its response itself. `conditional`: by ETag, with 304."""

    view: Callable[[P], Response]
    conditional: bool = False


class Made(NamedTuple):
    """An answer, and of what it is."""

    body: Body | None
    etag: str
    mark: str


class Server:
    """Answers requests for resources out of one database."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._version = program_version()
        self._answers = Kept[Body](lambda body: len(body.content))
        self._turns = threading.Semaphore(settings.threads)
        self._flights = Flights[Made]()

    def add(self, app: Flask, path: Path[Any]) -> None:
        """Let the application answer at a path."""
        reader = Reader(path.parameters)

        def respond(**in_path: str) -> Response:
            parameters = reader.read(in_path, request.args)
            if isinstance(path, Resource):
                return self._answer(path, parameters)
            assert isinstance(path, Direct)
            return path.view(parameters)

        app.add_url_rule(path.path, path.path, respond, methods=["GET"])

    def mark(self) -> str:
        """Names all that answers depend on beside their address. Raises ApiError (503)."""
        return self._mark(self._database.position())

    def _mark(self, at: Position) -> str:
        warning = behind(at, self._settings)
        return f"{at.block} {at.journal_hash} {at.venue_hash} {self._version} {warning}"

    def _answer(self, resource: Resource[Any], parameters: Any) -> Response:
        if resource.live:
            return self._answer_live(resource, parameters)
        block = getattr(parameters, "block", None)
        at = self._database.position()
        mark = self._mark(at)
        if block is None:
            etag = self._etag(at)
            body = self._answers.get(etag)
            if body is not None or is_held(etag):
                g.mark = mark
                return send(body, etag)
        # Who asked after a commit does not get what was begun before it.
        same = f"{mark} {request.path}?{request.query_string!r} {request.if_none_match}"
        made = self._flights.share(same, lambda: self._make(resource, parameters, block))
        g.mark = made.mark
        return send(made.body, made.etag)

    def _make(self, resource: Resource[Any], parameters: Any, block: int | None) -> Made:
        """The answer out of one snapshot. Without a body where the client holds it."""
        # More at once than there are turns would only wait for each other, and for connections.
        with self._turns, self._database.snapshot() as tip:
            snapshot = tip if block is None else tip.past(block)
            etag = self._etag(tip.at, snapshot)
            body = self._answers.get(etag)
            if body is None and not is_held(etag):
                body = _body(resource.view(snapshot, parameters), behind(tip.at, self._settings))
                self._answers.set(etag, body)
        return Made(body, etag, self._mark(tip.at))

    def _answer_live(self, resource: Resource[Any], parameters: Any) -> Response:
        with self._turns, self._database.snapshot() as snapshot:
            body = _body(resource.view(snapshot, parameters), behind(snapshot.at, self._settings))
        return send(body, f"{snapshot.block}-{sha256(body.content).hexdigest()[:24]}")

    def _etag(self, at: Position, past: Snapshot | None = None) -> str:
        """Names the block and all else that the answer depends on: the address, and this program."""
        block, journal_hash = (at.block, at.journal_hash) if past is None else (past.block, past.journal_hash)
        warning = behind(at, self._settings)
        seen = (self._version, at.venue_hash, journal_hash, warning, request.path, request.query_string)
        return f"{block}-{sha256(repr(seen).encode()).hexdigest()[:24]}"


def is_held(etag: str) -> bool:
    """Whether the client holds this very answer already."""
    held = request.if_none_match
    return not held.star_tag and held.contains_weak(etag)


def _body(answer: object, warning: Behind | None) -> Body:
    """An answer as it is sent, with the warning in it."""
    headers: tuple[tuple[str, str], ...] = ()
    if warning is not None:
        headers = (("Warning", f'199 peakedex "{warning.sentence}"'),)
    if isinstance(answer, Text):
        return Body(answer.text.encode(), PLAIN, (*answer.headers.items(), *headers))
    if isinstance(answer, Answer) and warning is not None:
        answer.warning = warning.sentence
        answer.lag = UNSET if warning.lag is None else warning.lag
    return Body(encode(answer), headers=headers)


def send(body: Body | None, etag: str) -> Response:
    """An answer with its ETag; 304 without a body where the client holds it already."""
    if body is None or request.if_none_match.contains_weak(etag):
        response = Response(status=304)
        response.headers.pop("Content-Type", None)
    else:
        response = Response(body.content, 200, content_type=body.content_type)
        response.headers.extend(body.headers)
    response.set_etag(etag, weak=True)  # compressed or not, it is the same answer
    response.headers["Cache-Control"] = "no-cache"
    return response
