"""Logging of changes: a message that repeats the last one on its subject is left out."""

from __future__ import annotations

import logging
from typing import Final

_MAX_SUBJECTS: Final = 10_000


class ChangeLogger:
    """Logs a message only when it differs from the last one on the same subject. Not thread-safe."""

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._log = log
        self._level = level
        self._last: dict[str, str | None] = {}

    def changed(self, subject: str, message: str | None) -> bool:
        """Remember the message; whether it differs from the last one (None: nothing to say)."""
        if self._last.get(subject) == message:
            return False
        if len(self._last) >= _MAX_SUBJECTS:  # bounded: subjects may come from other machines
            self._last.clear()
        self._last[subject] = message
        return True

    def log(self, message: str, subject: str = "", level: int | None = None) -> None:
        """Log the message, unless it is the last one on its subject."""
        if self.changed(subject, message):
            self._log.log(self._level if level is None else level, "%s", message)
