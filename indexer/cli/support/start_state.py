"""A published state text from which `peakedex follow` begins an empty database."""

from __future__ import annotations

import logging
import re
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import click
from sqlalchemy import Engine, select

from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.sources.hive import HiveSource
from settlement.core.events import BlockHeader
from settlement.core.journal.state_text import StateTextError, read_state
from settlement.core.venue import Venue
from settlement.store import schema
from settlement.store.write.initialise import initialise_from_state

_HASH: Final = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger("peakedex.follow")


class StartState(NamedTuple):
    """A state text with the hash that was published of it."""

    venue: Venue
    text: str
    hash: str
    header: BlockHeader  # its block

    def write(self, engine: Engine, source: HiveSource) -> None:
        """Write it into an empty database. No effect on one that began with it: a restart goes on there.

        Raises CheckFailed if the chain has another block there, ConfigurationError for another database.
        """
        with engine.connect() as connection:
            cursor = connection.execute(select(schema.cursor)).one_or_none()
        if cursor is not None:
            if cursor.state_block == self.header.number:
                return
            raise ConfigurationError(
                f"--from-state: the database is not empty, it is at block {cursor.block}: omit --from-state "
                "and --state-hash to go on from there, or choose a new one with --db"
            )
        found = source.block_id(self.header.number)
        if found is None:
            raise CheckFailed(
                f"--from-state: block {self.header.number} is not irreversible at any --node: try again "
                "later, or fix --node"
            )
        if found != self.header.block_id:
            raise CheckFailed(
                f"--from-state: it belongs to another chain: its block {self.header.number} is "
                f"{self.header.block_id}, and the nodes have {found}"
            )
        initialise_from_state(engine, self.venue, self.text, self.hash)
        log.info("started from the state %s of block %s", self.hash, self.header.number)


def read_start_state(path: Path | None, expected: str | None, venue: Venue) -> StartState | None:
    """The state of --from-state, None without. Raises UsageError and ConfigurationError."""
    if path is None and expected is None:
        return None
    if path is None or expected is None:
        raise click.UsageError("--from-state and --state-hash need each other")
    if not _HASH.fullmatch(expected):
        raise click.UsageError("--state-hash must be 64 hexadecimal digits in lower case")
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--from-state {path}: {error}") from None
    found = sha256(text.encode()).hexdigest()
    if found != expected:
        raise CheckFailed(f"--from-state {path}: its hash is {found}, not --state-hash: do not use this file")
    try:
        header = read_state(venue, text).header
    except StateTextError as error:
        raise ConfigurationError(f"--from-state {path}: {error}") from error
    if header is None:
        raise ConfigurationError(f"--from-state {path}: it is before the venue's first block: omit it")
    return StartState(venue, text, expected, header)
