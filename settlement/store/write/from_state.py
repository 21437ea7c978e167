"""Starts a replica from a state text alone, without history (protocol, section 11)."""

from __future__ import annotations

from sqlalchemy import Engine

from settlement.core.venue import Venue


def initialise_from_state(engine: Engine, venue: Venue, text: str, expected_hash: str) -> None:
    """Write the rows of a state into an empty database; `load_or_initialise` continues from there.

    The history begins with the state's block: earlier blocks, trades, transfers and candles are missing. Raises
    StoreError, and writes nothing, if the text does not have the expected hash, is no state of the venue, or the
    database is not empty.
    """
    raise NotImplementedError
