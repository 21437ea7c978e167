"""Files that appear whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from settlement.store.database import StoreError
from settlement.store.write.snapshot import SnapshotError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, to be written: it gets its name when all is written and on the disk. Raises SnapshotError
    where it cannot be, StoreError where there is one of that name."""
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        if path.exists():
            raise StoreError(f"{path} exists: name another file, or take that one away")
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise SnapshotError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder among the system's temporary files, gone afterwards. Raises SnapshotError if it cannot be."""
    try:
        with tempfile.TemporaryDirectory(prefix="peakedex-") as folder:
            yield Path(folder)
    except OSError as error:
        raise SnapshotError(
            f"temporary files cannot be written ({error.strerror or error}): make room, or name another "
            "folder in TMPDIR"
        ) from error
