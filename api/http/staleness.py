"""Detects a database that is behind the chain, or has stopped before a protocol upgrade."""

from __future__ import annotations

from typing import NamedTuple

from api.database import Snapshot
from api.heartbeat import Liveness
from api.settings import ApiSettings
from settlement.core.venue import PROTOCOL
from settlement.store.read.settings import read_upgrade


class Staleness(NamedTuple):
    """Why responses carry a warning."""

    sentence: str  # for people
    lag: int | None  # irreversible blocks not recorded yet; None while unknown


def find_staleness(snapshot: Snapshot, settings: ApiSettings) -> Staleness | None:
    """None while the database is up to date, and as long as nothing else is known."""
    at = snapshot.at
    is_behind = at.lag is not None and at.lag > settings.max_lag_blocks
    if is_behind or snapshot.liveness is Liveness.SILENT:
        upgrade = read_upgrade(snapshot.connection)
        if upgrade is not None and upgrade.block == at.block + 1:
            sentence = (
                f"Protocol {upgrade.protocol} holds from block {upgrade.block}, and this version runs "
                f"protocol {PROTOCOL}: the indexer has stopped until a newer version is installed."
            )
            return Staleness(sentence, at.lag)
    if is_behind:
        return Staleness(f"The database is {at.lag} blocks behind the chain.", at.lag)
    if snapshot.liveness is Liveness.SILENT:
        return Staleness("The indexer is not running: the newest blocks are missing.", at.lag)
    return None
