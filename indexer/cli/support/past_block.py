"""Asking a database for a past block: which it can speak of."""

from __future__ import annotations

from sqlalchemy import Connection

from indexer.cli.support.errors import ConfigurationError
from settlement.store.read.position import Position, read_first_block, read_position


def newest_block(connection: Connection) -> Position:
    """Where the database stands. Raises ConfigurationError while it is empty."""
    at = read_position(connection)
    if at is None:
        raise ConfigurationError("the database holds no block yet: start `peakedex follow` first")
    return at


def recorded_block(connection: Connection, block: int | None) -> int:
    """The block asked for, or the newest. Raises ConfigurationError for one that is not recorded."""
    at = newest_block(connection)
    if block is None:
        return at.block
    if block > at.block:
        raise ConfigurationError(
            f"--block {block}: the database stands at block {at.block}, ask for an earlier one"
        )
    before = read_first_block(connection) - 1
    if block < before:
        raise ConfigurationError(f"--block {block} is before this venue: {before} is the first to ask for")
    return block
