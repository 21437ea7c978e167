"""How commands fail: one line that names the matter and the cure, and an exit code.

0: fine. 1: a check failed, or the input cannot be what it claims. 2: usage or configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import SQLAlchemyError

from api.settings import ServeError, SettingsError
from indexer.chain.blocks import BlockError
from indexer.chain.receipts import ReceiptError
from indexer.sources.source import SourceError
from settlement.core.state import InvariantError
from settlement.core.venue import VenueError
from settlement.store.database import StoreError, explain
from settlement.store.write.snapshot import SnapshotError


class CheckFailed(click.ClickException):
    """A check failed, or the input is not what it claims to be; shown as one line."""

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class ConfigurationError(CheckFailed):
    """Something must be configured differently first; shown as one line."""

    exit_code = 2


@contextmanager
def reported() -> Iterator[None]:
    """Turn the failures that we expect into one line; anything else is a bug, and keeps its traceback."""
    try:
        yield
    except VenueError as error:
        raise ConfigurationError(f"venue file: {error}") from error
    except (StoreError, SettingsError, ServeError) as error:
        raise ConfigurationError(error) from error
    except SQLAlchemyError as error:
        raise CheckFailed(f"database: {explain(error)}") from error
    except SnapshotError as error:
        raise CheckFailed(error) from error
    except (SourceError, BlockError, ReceiptError) as error:
        raise CheckFailed(f"stopped: {error}") from error
    except InvariantError as error:
        raise CheckFailed(f"stopped, nothing of this block is recorded: {error}") from error
