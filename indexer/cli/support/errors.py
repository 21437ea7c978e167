"""Errors of commands: a one-line message and an exit code.

Exit codes: 0 success; 1 a check failed or the input is invalid; 2 wrong usage or configuration.
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
from settlement.core.state_machine import UpgradeRequired
from settlement.core.venue import VenueError
from settlement.store.database import StoreError, explain
from settlement.store.write.snapshot import SnapshotError


class CheckFailed(click.ClickException):
    """A check failed, or the input is invalid (exit code 1)."""

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class ConfigurationError(CheckFailed):
    """Wrong configuration (exit code 2)."""

    exit_code = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn expected failures into one-line errors. Any other exception is a bug and keeps its traceback."""
    try:
        yield
    except VenueError as error:
        others = len(error.mistakes) - 1
        hint = f" (and {others} more: see `peakedex venue check`)" if others else ""
        raise ConfigurationError(f"venue file: {error.mistakes[0]}{hint}") from error
    except (StoreError, SettingsError, ServeError) as error:
        raise ConfigurationError(error) from error
    except SQLAlchemyError as error:
        raise CheckFailed(f"database: {explain(error)}") from error
    except SnapshotError as error:
        raise CheckFailed(error) from error
    except (SourceError, BlockError, ReceiptError) as error:
        raise CheckFailed(f"stopped: {error}") from error
    except UpgradeRequired as error:
        raise CheckFailed(f"stopped: {error}") from error
    except InvariantError as error:
        raise CheckFailed(f"stopped without recording this block: {error}") from error
