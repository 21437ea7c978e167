"""`peakedex db`: the schema of a database."""

from __future__ import annotations

import click

from indexer import config
from indexer.cli.common import require_db
from settlement.store.database import newest_revision, open_writer
from settlement.store.recorder import make_read_indexes


@click.group()
def db() -> None:
    """Look after a database."""


@db.command()
@config.setting("db")
def upgrade(db: str | None) -> None:
    """Bring the schema to the newest revision, and make the indexes that readers need.

    Every command that writes does the first by itself at start.

    Example: peakedex db upgrade --db peakedex.db
    """
    engine = open_writer(require_db(db))
    make_read_indexes(engine)
    click.echo(f"the schema is at revision {newest_revision()}")
