"""Expected errors of the packages behind the commands, as one-line errors."""

from __future__ import annotations

import errno
from typing import Final

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

_CURES: Final = {
    errno.EACCES: "use a user who may, or another path",
    errno.EPERM: "use a user who may, or another path",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ENOTDIR: "a part of the path is no folder: correct it",
    errno.EISDIR: "name a file",
    errno.ELOOP: "remove the symbolic links that lead to each other",
    errno.EROFS: "use a path that can be written",
    errno.ENOSPC: "free disk space, then run it again",
    errno.EDQUOT: "free disk space, then run it again",
    errno.EIO: "check the disk, then run it again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the limit of open files (fs.file-max)",
}
"""What to do about a file that cannot be read or written. Any other OSError keeps its traceback."""
_NOT_CONFIGURED: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENFILE})
"""Not the caller's mistake: exit code 1."""


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
        case OSError(errno=int(number)) if number in _CURES:
            kind = CheckFailed if number in _NOT_CONFIGURED else ConfigurationError
            what = "" if error.filename is None else f"{_shown(error.filename)}: "
            return kind(f"{what}{(error.strerror or '').lower()}: {_CURES[number]}")
    return None


def _shown(name: object) -> str:
    """A file's name, cut in the middle where it is too long for a line."""
    text = str(name)
    return text if len(text) <= 300 else f"{text[:100]}…{text[-100:]}"
