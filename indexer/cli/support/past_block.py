"""Validation of a block number against the blocks in a database."""

from __future__ import annotations

from sqlalchemy import Connection

from indexer.cli.support.errors import ConfigurationError
from settlement.store.read.position import Position, read_earliest_block, read_position


def newest_block(connection: Connection) -> Position:
    """The database's newest block. Raises ConfigurationError if it is empty."""
    at = read_position(connection)
    if at is None:
        raise ConfigurationError("the database contains no block yet: start `peakedex follow` first")
    return at


def recorded_block(connection: Connection, block: int | None) -> int:
    """The given block, or the newest one. Raises ConfigurationError if it is not recorded."""
    at = newest_block(connection)
    if block is None:
        return at.block
    if block > at.block:
        raise ConfigurationError(f"--block {block} is not recorded yet: the newest block is {at.block}")
    before = read_earliest_block(connection)
    if block < before:
        raise ConfigurationError(f"--block {block} is before this venue's first block: use {before} or later")
    return block
