"""Whether the database is behind the chain, in a sentence."""

from __future__ import annotations

from typing import Final, NamedTuple

from api.settings import ApiSettings
from settlement.store.read.position import Position

SILENT_SECONDS: Final = 60
"""The indexer writes its status every two seconds, also while it waits."""


class Behind(NamedTuple):
    """`lag` is the number of irreversible blocks that are missing, as far as it is known."""

    sentence: str
    lag: int | None


def behind(at: Position, settings: ApiSettings) -> Behind | None:
    """What to warn of; None where all is well, or where no indexer has ever told."""
    if at.lag is not None and at.lag > settings.max_lag_blocks:
        return Behind(f"The database is {at.lag} blocks behind the chain.", at.lag)
    if at.heard_of is not None and settings.clock() - at.heard_of > SILENT_SECONDS:
        return Behind("The indexer is not running: the newest blocks are missing.", at.lag)
    return None
