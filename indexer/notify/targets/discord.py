"""Discord: a webhook's message. The text stands in a code block, and nobody is mentioned."""

from __future__ import annotations

import json
from typing import Final

from indexer.notify.message import Notification
from indexer.notify.targets.http import Poster

MAX_CHARACTERS: Final = 2_000
_SUPPRESS_EMBEDS: Final = 4
_BACKTICK: Final = "\N{MODIFIER LETTER GRAVE ACCENT}"


class Discord:
    """In a code block only backticks have a meaning: a look-alike replaces them."""

    def __init__(self, url: str, poster: Poster) -> None:
        self._url = url
        self._poster = poster

    def send(self, message: Notification) -> None:
        text = f"{message.title}\n{message.body}".replace("`", _BACKTICK)
        content = f"```\n{_cut(text, MAX_CHARACTERS - 8)}\n```"
        body = {"content": content, "allowed_mentions": {"parse": []}, "flags": _SUPPRESS_EMBEDS}
        self._poster.post(self._url, json.dumps(body).encode(), {})


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
