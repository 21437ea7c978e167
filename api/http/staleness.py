"""Detects a database that is behind the chain."""

from __future__ import annotations

from typing import NamedTuple

from api.database import Snapshot
from api.heartbeat import Liveness
from api.settings import ApiSettings


class Staleness(NamedTuple):
    """Why responses carry a warning."""

    sentence: str  # for people
    lag: int | None  # irreversible blocks not recorded yet; None while unknown


def find_staleness(snapshot: Snapshot, settings: ApiSettings) -> Staleness | None:
    """None while the database is up to date, and as long as nothing else is known."""
    at = snapshot.at
    if at.lag is not None and at.lag > settings.max_lag_blocks:
        return Staleness(f"The database is {at.lag} blocks behind the chain.", at.lag)
    if snapshot.liveness is Liveness.SILENT:
        return Staleness("The indexer is not running: the newest blocks are missing.", at.lag)
    return None
