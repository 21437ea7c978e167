"""ntfy: published as JSON, so that no text becomes a header."""

from __future__ import annotations

import json
from typing import Final

from indexer.notify.message import Notification, Severity
from indexer.notify.targets.http import Poster

MAX_BYTES: Final = 3_500
"""Of the message: a longer one would become an attachment (4,096 bytes with the rest)."""
_PRIORITY: Final[dict[Severity, int]] = {"info": 3, "warning": 4, "critical": 5}


class Ntfy:
    """Messages are plain text by default: Markdown is not read."""

    def __init__(self, url: str, topic: str, token: str | None, poster: Poster) -> None:
        self._url = url
        self._topic = topic
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._poster = poster

    def send(self, message: Notification) -> None:
        text = message.body.encode()[:MAX_BYTES].decode(errors="ignore")
        body = {
            "topic": self._topic,
            "title": message.title,
            "message": text,
            "priority": _PRIORITY[message.severity],
        }
        self._poster.post(self._url, json.dumps(body).encode(), self._headers)
