"""/api/stream: what happens, as it happens, by Server-Sent Events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from flask import Flask, Response, request

from api.database import Database
from api.http.parameters import Rule
from api.http.resource import Direct
from api.settings import ApiSettings
from api.stream.feed import Feed
from api.stream.shapes import ChangeEvent, HeadEvent, ResetEvent, SnapshotEvent
from api.stream.subscriber import Wire
from api.stream.topics import LONGEST, TOPICS_PATTERN, read_topics
from api.worker_metrics import Slot
from settlement.store.change_detector import watch

MEDIA: Final = "text/event-stream"
FEED: Final = "peakedex.feed"
"""Under this name the application knows its feed, so that a server that stops can end it."""

TopicsText = Annotated[
    str,
    Rule(
        "a list of topics, like book:PEK/SWAP.HIVE,trades:PEK/SWAP.HIVE,account:alice",
        lambda text: text,
        {"type": "string", "pattern": TOPICS_PATTERN, "maxLength": LONGEST},
        LONGEST,
    ),
]
EventId = Annotated[str, Rule("the id of an event", lambda text: text, {"type": "string", "maxLength": 128})]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParameters:
    """`last_event_id` is for clients that cannot send the header Last-Event-ID, which goes before it."""

    topics: TopicsText
    last_event_id: EventId | None = None


class Stream:
    """The path over one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def path(self) -> Direct[StreamParameters]:
        return Direct(
            "/api/stream",
            StreamParameters,
            SnapshotEvent | ChangeEvent | HeadEvent | ResetEvent,
            "What happens, as it happens: a snapshot, then changes (Server-Sent Events).",
            self._view,
            errors=("E_PAIR", "E_NOT_READY", "E_BUSY", "E_STREAMS"),
            media=MEDIA,
        )

    def _view(self, ask: StreamParameters) -> Response:
        topics = read_topics(ask.topics)
        if request.method == "HEAD":
            return Response(content_type=MEDIA)
        last = request.headers.get("Last-Event-ID") or ask.last_event_id
        listener = self._feed.open(topics, last, _wire(request.environ))
        response = Response(listener, content_type=MEDIA, direct_passthrough=True)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would collect events
        return response


def _wire(environ: Mapping[str, Any]) -> Wire | None:
    """The client's connection, as far as the server tells: gunicorn does."""
    connection = environ.get("gunicorn.socket")
    return None if connection is None else Wire(connection, environ["SERVER_PROTOCOL"] == "HTTP/1.1")


def stream_of(app: Flask, settings: ApiSettings, database: Database, slot: Slot) -> Stream:
    """The stream of this process. Its feed's thread starts with the first listener."""
    feed = Feed(
        database, watch(settings.database_url), settings.streams, count=lambda by: slot.move("streams", by)
    )
    app.extensions[FEED] = feed
    return Stream(feed)
