"""Atomic creation of files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from tempfile import TemporaryFile


@contextmanager
def atomic_write(path: Path) -> Iterator[BufferedRandom]:
    """A file that appears complete or not at all: written beside its path, then renamed. Raises OSError.

    It can be read, too. A device or a pipe gets the whole file at the end: root would replace /dev/null.
    """
    if path.exists() and not path.is_file():
        with TemporaryFile() as whole:
            yield whole
            whole.seek(0)
            with path.open("wb") as target:
                shutil.copyfileobj(whole, target)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w+b") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
