"""`peakedex db`: database maintenance."""

from __future__ import annotations

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, require_db, show
from indexer.cli.support.errors import CheckFailed
from indexer.cli.support.progress import row_progress
from settlement.store.database import closing_writer, newest_revision, open_reader, open_writer
from settlement.store.lease import Lease
from settlement.store.write.loader import load_from
from settlement.store.write.projector import make_read_indexes
from settlement.store.write.rebuild import HistoryError
from settlement.store.write.rebuild import rebuild as project_again
from settlement.store.write.row_check import check_rows


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
def check(db: str | None) -> None:
    """Check the database: compare all rows with the whole stored journal.

    The journal's hash chain is computed anew, its lines are added up, and its projection is made anew in a
    temporary file, about as large as the database. The indexer and the API can keep running.

    Example: peakedex db check --db peakedex.db
    """
    engine = open_reader(require_db(db))
    try:
        with engine.connect() as connection, row_progress(None, quiet=False, label="blocks") as on_blocks:
            is_complete = check_rows(connection, on_blocks)
            load_from(connection)
    except HistoryError as error:
        raise CheckFailed(error) from error
    finally:
        engine.dispose()
    found = "all rows follow" if is_complete else "the state follows"
    click.echo(f"the journal's hash chain is complete, and {found} from it")


@db.command()
@config.setting("db")
@json_option
def rebuild(db: str | None, as_json: bool) -> None:
    """Rebuild all tables from the stored journal, and print their numbers of rows.

    Stop the indexer first; the API can keep running.

    Example: peakedex db rebuild --db peakedex.db
    """
    with closing_writer(require_db(db)) as engine, Lease(engine):
        try:
            with row_progress(None, quiet=as_json, label="blocks") as on_blocks:
                counts = project_again(engine, on_blocks)
        except HistoryError as error:
            raise CheckFailed(error) from error
    show(dict(counts), as_json=as_json)
