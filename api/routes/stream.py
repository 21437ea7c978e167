"""/api/stream: changes as they happen, as Server-Sent Events."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

from flask import Response, request

from api.http.parameters import Rule
from api.http.resource import DirectEndpoint
from api.stream.events import ChangeEvent, HeadEvent, ResetEvent, SnapshotEvent
from api.stream.publisher import Publisher
from api.stream.topics import MAX_LENGTH, TOPICS_PATTERN, read_topics

MEDIA: Final = "text/event-stream"

TopicsText = Annotated[
    str,
    Rule(
        "a list of topics, like book:PEK/SWAP.HIVE,trades:PEK/SWAP.HIVE,account:alice",
        lambda text: text,
        {"type": "string", "pattern": TOPICS_PATTERN, "maxLength": MAX_LENGTH},
        MAX_LENGTH,
    ),
]
EventId = Annotated[str, Rule("the id of an event", lambda text: text, {"type": "string", "maxLength": 128})]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParameters:
    """The header Last-Event-ID takes precedence over `last_event_id`, for clients that cannot set headers."""

    topics: TopicsText
    last_event_id: EventId | None = None


def stream_endpoint(publisher: Publisher) -> DirectEndpoint[StreamParameters]:
    def view(parameters: StreamParameters) -> Response:
        topics = read_topics(parameters.topics)
        if request.method == "HEAD":
            return Response(content_type=MEDIA)
        last = request.headers.get("Last-Event-ID") or parameters.last_event_id
        subscriber = publisher.subscribe(topics, last, _disconnect(request.environ))
        response = Response(subscriber, content_type=MEDIA, direct_passthrough=True)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx must pass events on at once
        return response

    return DirectEndpoint(
        "/api/stream",
        StreamParameters,
        SnapshotEvent | ChangeEvent | HeadEvent | ResetEvent,
        "Live changes as Server-Sent Events: a snapshot, then changes.",
        view,
        errors=("E_PAIR", "E_NOT_READY", "E_BUSY", "E_STREAMS"),
        media=MEDIA,
    )


def _disconnect(environ: Mapping[str, Any]) -> Callable[[], None]:
    """A function that closes the client's connection, which gunicorn passes to the application."""
    connection: socket.socket | None = environ.get("gunicorn.socket")

    def disconnect() -> None:
        if connection is not None:
            with suppress(OSError):  # it may be closed already
                connection.shutdown(socket.SHUT_RDWR)

    return disconnect
