"""Files and temporary folders of snapshots."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from indexer.ops.files import atomic_write
from settlement.store.database import StoreError
from settlement.store.write.snapshot import SnapshotError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Create a file atomically. Raises StoreError if it exists, SnapshotError if it cannot be written."""
    if path.exists():
        raise StoreError(f"{path} exists: choose another file, or remove it")
    try:
        with atomic_write(path) as file:
            yield file
    except OSError as error:
        raise SnapshotError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def working_folder() -> Iterator[Path]:
    """A temporary folder. Raises SnapshotError if it cannot be created or written."""
    try:
        with tempfile.TemporaryDirectory(prefix="peakedex-") as folder:
            yield Path(folder)
    except OSError as error:
        raise SnapshotError(
            f"temporary files cannot be written ({error.strerror or error}): free disk space, or choose "
            "another folder with TMPDIR"
        ) from error
