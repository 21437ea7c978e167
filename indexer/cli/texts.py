"""`peakedex journal` and `peakedex state`: the texts of protocol section 9, for sha256sum and diff."""

from __future__ import annotations

import click

from indexer import config
from indexer.cli.common import json_option, require_db, show
from indexer.cli.errors import ConfigurationError
from settlement.statetext import state_hash, state_text
from settlement.store.database import open_reader
from settlement.store.journal import read_journal
from settlement.store.loader import load


@click.command()
@config.setting("db")
@click.option("--from", "first", type=click.IntRange(1), default=1, help="First block.")
@click.option("--to", "last", type=click.IntRange(1), help="Last block.")
@json_option
def journal(db: str | None, first: int, last: int | None, as_json: bool) -> None:
    """Print the journal: what happened, block by block. With --json, one object a block.

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
@click.option("--block", type=click.IntRange(1), help="The block that the state must be of.")
@json_option
def state(db: str | None, block: int | None, as_json: bool) -> None:
    """Print the state at the last block: `sha256sum` of it is the state hash. With --json, the hashes.

    Example: peakedex state --db peakedex.db | sha256sum
    """
    found = load(open_reader(require_db(db))).state
    number = found.header.number if found.header else None
    if block is not None and block != number:
        raise ConfigurationError(
            f"the database stands at block {number}, not {block}: "
            f"run `peakedex replay --until {block}` into another database"
        )
    if as_json:
        show(
            {
                "block": number,
                "block_id": found.header.block_id if found.header else None,
                "venue_hash": found.venue_hash,
                "journal_hash": found.journal_hash,
                "state_hash": state_hash(found),
            },
            as_json=True,
        )
    else:
        click.echo(state_text(found), nl=False)
