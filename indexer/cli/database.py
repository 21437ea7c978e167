"""`peakedex db`: database maintenance."""

from __future__ import annotations

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, require_db, show
from indexer.cli.support.errors import CheckFailed
from settlement.store.database import closing_writer, newest_revision, open_writer
from settlement.store.lease import Lease
from settlement.store.write.projector import make_read_indexes
from settlement.store.write.rebuild import HistoryError
from settlement.store.write.rebuild import rebuild as make_again


@click.group()
def db() -> None:
    """Maintain a database."""


@db.command()
@config.setting("db")
def upgrade(db: str | None) -> None:
    """Migrate the schema to the newest revision, and create the indexes for the API.

    Commands that write migrate the schema at start by themselves.

    Example: peakedex db upgrade --db peakedex.db
    """
    engine = open_writer(require_db(db))
    make_read_indexes(engine)
    click.echo(f"schema revision {newest_revision()}")


@db.command()
@config.setting("db")
@json_option
def rebuild(db: str | None, as_json: bool) -> None:
    """Rebuild derived rows: balances, orders and holdings by block, candles, totals.

    They are computed from the recorded history, and compared with the current state. Prints their numbers.
    Stop the indexer first; the API can keep running.

    Example: peakedex db rebuild --db peakedex.db
    """
    with closing_writer(require_db(db)) as engine, Lease(engine):
        try:
            counts = make_again(engine, on_step=lambda name: click.echo(f"{name} …", err=True))
        except HistoryError as error:
            raise CheckFailed(error) from error
    show(dict(counts), as_json=as_json)
