"""`peakedex backup` and `peakedex restore`: backups in remote storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Engine

from indexer import settings as config
from indexer.cli.snapshot import cleanup_on_sigterm, restore_checks, restore_options, show_restored
from indexer.cli.support.common import json_option, require_db, show
from indexer.cli.support.progress import row_progress
from indexer.cli.support.storage import storage_at
from indexer.ops.backup.backups import choose, fetch, list_backups, make_backup
from indexer.ops.backup.files import working_folder
from indexer.ops.backup.restore import restore as restore_snapshot
from indexer.ops.backup.status import recorded
from settlement.store.database import open_reader

_STORAGE = "Backup storage: a folder, or ftp://, ftps://, sftp:// or s3://…, without password."
_VARIABLE = "PEAKEDEX_BACKUP_TO"
"""Where the nightly service puts backups (backup.env): the storage if none is named."""
_from_option = click.option(
    "--from", "url", required=True, metavar="URL", envvar=_VARIABLE, show_envvar=True, help=_STORAGE
)


@contextmanager
def disposing(engine: Engine) -> Iterator[Engine]:
    """Closes the connections of an engine at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


@click.group(invoke_without_command=True)
@config.setting("db")
@click.option("--to", "url", metavar="URL", envvar=_VARIABLE, show_envvar=True, help=_STORAGE)
@config.setting("network")
@config.setting("backup-daily")
@config.setting("backup-rolling")
@config.setting("backup-status")
@json_option
@click.pass_context
def backup(
    context: click.Context,
    db: str | None,
    url: str | None,
    network: str,
    backup_daily: int,
    backup_rolling: int,
    backup_status: Path | None,
    as_json: bool,
) -> None:
    """Back up the database to a folder or a server.

    A backup is a consistent snapshot with the payout log, made while all processes run. It is read back
    and compared before older ones are deleted. Credentials come from the environment only:
    PEAKEDEX_BACKUP_USER, …_PASSWORD, …_KEY_FILE; for S3 the variables of AWS.

    Example: peakedex backup --db peakedex.db --to sftp://backups.example.org/srv/peakedex
    """
    if context.invoked_subcommand is not None:
        return
    if url is None:
        raise click.UsageError("no backup storage: use --to URL, or set PEAKEDEX_BACKUP_TO")
    with (
        recorded(backup_status, lambda text: click.echo(f"Warning: {text}", err=True)),
        cleanup_on_sigterm(),
        disposing(open_reader(require_db(db))) as engine,
        storage_at(url) as storage,
        engine.connect() as connection,
        row_progress(None, quiet=as_json) as on_rows,
    ):
        result = make_backup(
            connection, storage, network=network, daily=backup_daily, rolling=backup_rolling, on_rows=on_rows
        )
    manifest = result.manifest
    show(
        {
            "name": result.backup.name,
            "block": manifest.block,
            "time": manifest.time,
            "journal_hash": manifest.journal_hash,
            "state_hash": manifest.state_hash,
            "rows": manifest.rows,
            "bytes": manifest.size,
            "sha256": manifest.sha256,
            "deleted": [each.name for each in result.deleted] if as_json else len(result.deleted),
        },
        as_json=as_json,
    )


@backup.command("list")
@_from_option
@json_option
def list_(url: str, as_json: bool) -> None:
    """List the backups in a storage, newest first. With --json, one object a line.

    Example: peakedex backup list --from sftp://backups.example.org/srv/peakedex
    """
    with storage_at(url) as storage:
        found = list_backups(storage)
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
@_from_option
@click.option("--name", help="Name of the backup, see `peakedex backup list`; the newest by default.")
@restore_options
def restore(
    url: str,
    name: str | None,
    db: str | None,
    venue: Path | None,
    node: tuple[str, ...],
    ignore_checkpoint: bool,
    as_json: bool,
) -> None:
    """Restore a backup. It is verified before it replaces the database.

    The previous database is kept under another name beside it. Stop indexer, payouts and API first. On
    PostgreSQL the role must own the database and may need CREATEDB; an empty database is filled as it is.

    Example: peakedex restore --from sftp://backups.example.org/srv/peakedex --db peakedex.db
    """
    database = require_db(db)
    checks = restore_checks(venue, node, ignore_checkpoint=ignore_checkpoint)
    with cleanup_on_sigterm(), working_folder() as folder:
        with storage_at(url) as storage:
            chosen = choose(storage, name, checks.venue.hash if checks.venue else None)
            file, manifest = fetch(storage, chosen, folder)
        with row_progress(manifest.rows, quiet=as_json) as on_rows:
            restored = restore_snapshot(file, database, checks, replace=True, on_rows=on_rows)
    show_restored(restored, checks, {"name": chosen.name}, as_json=as_json)
