"""Detects a database that is behind the chain."""

from __future__ import annotations

from typing import Final, NamedTuple

from api.settings import ApiSettings
from settlement.store.read.position import Position

SILENT_SECONDS: Final = 60
"""The indexer writes its status every two seconds, also while it waits for a node."""


class Staleness(NamedTuple):
    """Why responses carry a warning."""

    sentence: str  # for people
    lag: int | None  # irreversible blocks not recorded yet; None while unknown


def find_staleness(at: Position, settings: ApiSettings) -> Staleness | None:
    """None while the database is up to date, or if no indexer has ever reported its status."""
    if at.lag is not None and at.lag > settings.max_lag_blocks:
        return Staleness(f"The database is {at.lag} blocks behind the chain.", at.lag)
    if at.status_updated is not None and settings.clock() - at.status_updated > SILENT_SECONDS:
        return Staleness("The indexer is not running: the newest blocks are missing.", at.lag)
    return None
