"""Status file of backups: when the newest one succeeded, and failed. `/metrics` shows it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def recorded(path: Path | None, warn: Callable[[str], object]) -> Iterator[None]:
    """Record whether the block succeeds, if a path is given. A failure to do so is only a warning."""
    result = "failed"
    try:
        yield
        result = "succeeded"
    finally:
        if path is not None:
            try:
                _record(path, result, int(time.time()))
            except OSError as error:
                warn(f"backup-status: {path} cannot be written: {error.strerror}")


def _record(path: Path, result: str, now: int) -> None:
    """Raises OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(json.dumps({**_times(path), result: now}) + "\n")
    new.replace(path)


def _times(path: Path) -> dict[str, object]:
    """What is recorded already; nothing if the file cannot be read."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
