"""`peakedex journal` and `peakedex state`: the canonical texts of protocol section 11."""

from __future__ import annotations

from hashlib import sha256

import click
from sqlalchemy import Engine

from indexer import settings as config
from indexer.cli.support.common import json_option, require_db, show
from indexer.cli.support.past_block import newest_block, recorded_block
from settlement.core.journal.codec import ABSENT
from settlement.core.journal.state_text import state_text
from settlement.store.database import open_reader
from settlement.store.read.audit.journal import read_journal
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.position import read_active_block
from settlement.store.write.loader import load


@click.command()
@config.setting("db")
@click.option("--from", "first", type=config.BLOCK_NUMBER, default=1, help="First block.")
@click.option("--to", "last", type=config.BLOCK_NUMBER, help="Last block.")
@json_option
def journal(db: str | None, first: int, last: int | None, as_json: bool) -> None:
    """Print the journal of all events, block by block.

    With --json, one object a block.

    Example: peakedex journal --db peakedex.db --from 101000000
    """
    with open_reader(require_db(db)).connect() as connection:
        for block in read_journal(connection, first, last):
            if as_json:
                show(
                    {"block": block.number, "journal_hash": block.journal_hash, "lines": block.lines},
                    as_json=True,
                )
            else:
                click.echo(block.lines, nl=False)


@click.command()
@config.setting("db")
@click.option("--block", type=config.BLOCK_NUMBER, help="A past block; the newest one by default.")
@json_option
def state(db: str | None, block: int | None, as_json: bool) -> None:
    """Print the state text, whose SHA-256 is the state hash. With --json, print the hashes.

    Without --block it is the state of the newest block, with all invariants checked. With --block it is the
    state at the end of a past block. If nothing of the venue happened in that block, its line `block` names
    the last block before it in which something did.

    Example: peakedex state --db peakedex.db | sha256sum
    """
    engine = open_reader(require_db(db))
    text, journal_hash = _last_state(engine) if block is None else _past_state(engine, block)
    if not as_json:
        click.echo(text, nl=False)
        return
    venue, block_line = text.split("\n", 3)[1:3]
    number, block_id, timestamp = block_line.removeprefix("block ").split(" ")
    is_before_first = block_id == ABSENT
    show(
        {
            "block": None if is_before_first else int(number),
            "block_id": None if is_before_first else block_id,
            "ts": None if is_before_first else timestamp,
            "venue_hash": venue.removeprefix("venue "),
            "journal_hash": journal_hash,
            "state_hash": sha256(text.encode()).hexdigest(),
        },
        as_json=True,
    )


def _last_state(engine: Engine) -> tuple[str, str]:
    """State text and journal hash of the newest block."""
    found = load(engine).state
    return state_text(found), found.journal_hash


def _past_state(engine: Engine, block: int) -> tuple[str, str]:
    """State text and journal hash at the end of a past block."""
    with engine.connect() as connection:
        recorded_block(connection, block)
        past = read_active_block(connection, block)
        journal_hash = newest_block(connection).venue_hash if past is None else past.journal_hash
        return read_state_text(connection, block), journal_hash
