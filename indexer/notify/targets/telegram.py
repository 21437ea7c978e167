"""Telegram: a bot's message. Formatting is given beside the text, so that none is read in the text."""

from __future__ import annotations

import json
from typing import Final

from indexer.notify.message import Notification
from indexer.notify.targets.http import Poster

MAX_CHARACTERS: Final = 4_000
"""In UTF-16 code units; the service's limit is 4,096."""


class Telegram:
    """The whole text is one `pre` entity: nothing in it becomes a link, a mention or a command."""

    def __init__(self, api: str, token: str, chat: str, poster: Poster) -> None:
        self._url = f"{api.rstrip('/')}/bot{token}/sendMessage"
        self._chat = chat
        self._poster = poster

    def send(self, message: Notification) -> None:
        text = f"{message.title}\n{message.body}"
        while _units(text) > MAX_CHARACTERS:
            text = text[: MAX_CHARACTERS // 2]
        body = {
            "chat_id": self._chat,
            "text": text,
            "entities": [{"type": "pre", "offset": 0, "length": _units(text)}],
            "link_preview_options": {"is_disabled": True},
            "disable_notification": message.severity == "info",
        }
        self._poster.post(self._url, json.dumps(body).encode(), {})


def _units(text: str) -> int:
    """Length in UTF-16 code units, by which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2
