"""Expected errors of the packages behind the commands, as one-line errors."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from api.settings import ServeError, SettingsError
from indexer.chain.blocks import BlockError
from indexer.chain.receipts import ReceiptError
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.sources.source import SourceError
from settlement.core.state import InvariantError
from settlement.core.state_machine import UpgradeRequired
from settlement.core.venue import VenueError
from settlement.store.database import StoreError, explain
from settlement.store.write.snapshot import SnapshotError


def one_line(error: Exception) -> CheckFailed | None:
    """The one-line error of an expected failure; None for a bug."""
    match error:
        case VenueError():
            others = len(error.mistakes) - 1
            hint = f" (and {others} more: see `peakedex venue check`)" if others else ""
            return ConfigurationError(f"venue file: {error.mistakes[0]}{hint}")
        case StoreError() | SettingsError() | ServeError():
            return ConfigurationError(error)
        case SQLAlchemyError():
            return CheckFailed(f"database: {explain(error)}")
        case SnapshotError():
            return CheckFailed(error)
        case SourceError() | BlockError() | ReceiptError() | UpgradeRequired():
            return CheckFailed(f"stopped: {error}")
        case InvariantError():
            return CheckFailed(f"stopped without recording this block: {error}")
        case PermissionError() if error.filename:
            return ConfigurationError(
                f"{error.filename}: permission denied: use a user who may, or another path"
            )
    return None
