"""Keeps the secrets of targets out of the log, whoever writes it."""

from __future__ import annotations

import logging
from collections.abc import Iterable


def redact_log(secrets: Iterable[str]) -> None:
    """Replace these texts in everything that the root logger's handlers write from now on.

    urllib3 is silenced, because it logs addresses, and those of Telegram and Discord are secrets.
    """
    known = tuple(secrets)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Redactor(handler.formatter or logging.Formatter(), known))


class _Redactor(logging.Formatter):
    """Formats with another formatter, then removes secrets, also from tracebacks."""

    def __init__(self, inner: logging.Formatter, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        text = self._inner.format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
