"""Atomic creation of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A file that appears complete or not at all: written beside its path, then renamed. Raises OSError.

    A device or a pipe (/dev/null, /dev/stdout) is written to: root would replace it by a file.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
