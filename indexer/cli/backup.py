"""`peakedex backup` and `peakedex restore`: copies of a database elsewhere, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from indexer import settings as config
from indexer.cli.snapshot import ignore_checkpoint_option, node_to_ask, outcome, progress, tidily
from indexer.cli.support.common import json_option, read_venue, require_db, show
from indexer.cli.support.errors import CheckFailed
from indexer.ops.backup.backups import choose, fetch, list_backups, make_backup
from indexer.ops.backup.files import working_folder
from indexer.ops.backup.restore import Wanted
from indexer.ops.backup.restore import restore as restore_snapshot
from indexer.ops.backup.storage import Credentials, Place, PlaceError, open_place
from settlement.store.database import open_reader

_PLACE = "A folder, or ftp://, ftps://, sftp:// or s3://…, without password."
place_to_read = click.option("--from", "url", required=True, metavar="URL", help=_PLACE)


@contextmanager
def _place(url: str) -> Iterator[Place]:
    try:
        with open_place(url, Credentials(**config.backup_credentials())) as place:
            yield place
    except PlaceError as error:
        raise CheckFailed(error) from None


@click.group(invoke_without_command=True)
@config.setting("db")
@click.option("--to", "url", metavar="URL", help=_PLACE)
@config.setting("network")
@config.setting("backup-daily")
@config.setting("backup-rolling")
@json_option
@click.pass_context
def backup(
    context: click.Context,
    db: str | None,
    url: str | None,
    network: str,
    backup_daily: int,
    backup_rolling: int,
    as_json: bool,
) -> None:
    """Put a backup somewhere, of one moment, while all goes on: a snapshot with the records of payouts.

    It is read back and compared before it counts, and before any older one is deleted. Credentials come from
    the environment alone: PEAKEDEX_BACKUP_USER, …_PASSWORD, …_KEY_FILE; for S3 those of AWS.

    Example: peakedex backup --db peakedex.db --to sftp://backups.example.org/srv/peakedex
    """
    if context.invoked_subcommand is not None:
        return
    if url is None:
        raise click.UsageError("no place: give --to URL")
    engine = open_reader(require_db(db))
    with (
        tidily(),
        _place(url) as place,
        engine.connect() as connection,
        progress(None, as_json) as on_rows,
    ):
        made = make_backup(
            connection, place, network=network, daily=backup_daily, rolling=backup_rolling, on_rows=on_rows
        )
    engine.dispose()
    told = made.manifest
    show(
        {
            "name": made.backup.name,
            "block": told.block,
            "time": told.time,
            "journal_hash": told.journal_hash,
            "state_hash": told.state_hash,
            "rows": told.rows,
            "bytes": told.size,
            "sha256": told.sha256,
            "deleted": [each.name for each in made.deleted] if as_json else len(made.deleted),
        },
        as_json=as_json,
    )


@backup.command("list")
@place_to_read
@json_option
def list_(url: str, as_json: bool) -> None:
    """List the backups that lie somewhere, newest first. With --json, one object a backup.

    Example: peakedex backup list --from sftp://backups.example.org/srv/peakedex
    """
    with _place(url) as place:
        found = list_backups(place)
    for each, size in found:
        if as_json:
            made = each.made.isoformat()
            show(
                {"name": each.name, "venue": each.venue, "made": made, "block": each.block, "bytes": size},
                as_json=True,
            )
        else:
            click.echo(f"{each.name}  {size:>14,} bytes")


@click.command()
@place_to_read
@click.option("--name", help="Which backup, as `peakedex backup list` names it; the newest by default.")
@config.setting("db")
@config.setting("venue")
@node_to_ask
@ignore_checkpoint_option
@json_option
def restore(
    url: str,
    name: str | None,
    db: str | None,
    venue: Path | None,
    node: tuple[str, ...],
    ignore_checkpoint: bool,
    as_json: bool,
) -> None:
    """Get a backup back. It is verified as snapshots are, in a new place, and only then put in place.

    The database that was there keeps a name beside it. Stop indexer, payouts and API first; on PostgreSQL
    name a new database.

    Example: peakedex restore --from sftp://backups.example.org/srv/peakedex --db peakedex.db
    """
    database = require_db(db)
    rules_venue = read_venue(venue) if venue else None
    wanted = Wanted(rules_venue, node, ignore_checkpoint)
    with tidily(), working_folder() as folder:
        with _place(url) as place:
            chosen = choose(place, name, rules_venue.hash if rules_venue else None)
            file, told = fetch(place, chosen, folder)
        with progress(told.rows, as_json) as on_rows:
            restored = restore_snapshot(file, database, wanted, replace=True, on_rows=on_rows)
    show({"name": chosen.name, **outcome(restored, wanted)}, as_json=as_json)
