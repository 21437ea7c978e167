"""Webhook: the notification as JSON, signed with HMAC-SHA256."""

from __future__ import annotations

import hashlib
import hmac
import time

import msgspec

from indexer.notify.message import Notification
from indexer.notify.targets.http import Poster


class Webhook:
    """POSTs `{id, kind, severity, title, fields, ts}`.

    `X-Peakedex-Signature` is `sha256=` and the HMAC of `X-Peakedex-Timestamp`, a full stop, and the body.
    """

    def __init__(self, url: str, secret: str | None, poster: Poster) -> None:
        self._url = url
        self._secret = secret
        self._poster = poster

    def send(self, message: Notification) -> None:
        body = msgspec.json.encode(message)
        headers: dict[str, str] = {}
        if self._secret is not None:
            stamp = str(int(time.time()))
            signed = hmac.new(self._secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
            headers = {"X-Peakedex-Timestamp": stamp, "X-Peakedex-Signature": f"sha256={signed.hexdigest()}"}
        self._poster.post(self._url, body, headers)
