"""The storage that a command writes to or reads from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indexer import settings as config
from indexer.cli.support.errors import CheckFailed
from indexer.ops.backup.storage import Credentials, Storage, StorageError, open_storage


@contextmanager
def storage_at(url: str) -> Iterator[Storage]:
    """The storage of a URL or path, with the credentials in the environment. Raises CheckFailed."""
    try:
        with open_storage(url, Credentials(**config.backup_credentials())) as storage:
            yield storage
    except StorageError as error:
        raise CheckFailed(error) from None
