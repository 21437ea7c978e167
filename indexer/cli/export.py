"""`peakedex export`: the ledger's tables as CSV, JSON or Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import check_account, json_option, require_db, show
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.output import open_output, out_option, write_errors
from indexer.cli.support.progress import BlockProgress
from indexer.ops.export.dump import FORMATS, Dump, ExportError, Filter
from indexer.ops.export.tables import TABLES, Table
from indexer.ops.files import atomic_write
from settlement.store.database import open_reader

MANIFEST: Final = "manifest.json"


@click.command()
@click.argument("table", required=False, type=click.Choice(list(TABLES)), metavar=f"[{'|'.join(TABLES)}]")
@click.option(
    "--all",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write all tables, of the same block, and manifest.json into this folder.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True, help="File format."
)
@out_option
@config.setting("db")
@click.option(
    "--from",
    "first",
    type=config.BLOCK_NUMBER,
    metavar="BLOCK",
    help="Only rows that began in this block or later.",
)
@click.option(
    "--to",
    "last",
    type=config.BLOCK_NUMBER,
    metavar="BLOCK",
    help="Export as of the end of this block; the newest one by default.",
)
@click.option("--user", callback=check_account, metavar="NAME", help="Only rows of this account.")
@click.option("--pair", metavar="BASE/QUOTE", help="Only orders, trades and marks of this pair.")
@json_option
def export(
    table: str | None,
    folder: Path | None,
    form: str,
    out: Path | None,
    db: str | None,
    first: int | None,
    last: int | None,
    user: str | None,
    pair: str | None,
    as_json: bool,
) -> None:
    """Export a table of the ledger as CSV, JSON or Parquet.

    Every replica exports the same bytes for the same blocks, at any later time. --out and --all print the
    SHA-256 of each file. The indexer can run meanwhile. Columns and examples: docs/analysts.md.

    Example: peakedex export trades --db peakedex.db --format parquet --out trades.parquet
    """
    if (table is None) == (folder is None):
        raise click.UsageError(f"name one table ({', '.join(TABLES)}), or use --all DIR for all of them")
    chosen = TABLES[table] if table is not None else None
    _check_together(chosen, form, out, first, user, pair, as_json)
    with open_reader(require_db(db)).connect() as connection:
        try:
            dump = Dump.open(connection, Filter(first, last, user, pair))
            if folder is not None:
                manifest = _save_all(dump, form, folder)
                _show_files(manifest, manifest["files"], as_json)
            elif chosen is not None and out is not None:
                saved = _save(dump, chosen, form, out)
                _show_files({**dump.describe(chosen), "format": form, **saved}, [saved], as_json)
            elif chosen is not None:
                with open_output(None) as file:
                    dump.write(chosen, form, file)
        except ExportError as error:
            raise ConfigurationError(error) from error


def _check_together(
    table: Table | None,
    form: str,
    out: Path | None,
    first: int | None,
    user: str | None,
    pair: str | None,
    as_json: bool,
) -> None:
    """Raise UsageError for options that cannot be combined."""
    to_stdout = table is not None and out is None
    if to_stdout and form == "parquet":
        raise click.UsageError("--format parquet needs --out FILE")
    if to_stdout and as_json:
        raise click.UsageError("--json requires --out FILE (for rows as JSON, use --format json)")
    if table is None and out is not None:
        raise click.UsageError("--all DIR and --out FILE cannot be combined")
    if pair is not None and (table is None or not table.is_of_pairs):
        raise click.UsageError("--pair applies to orders, trades and marks only")
    if user is not None and table is not None and not table.is_of_accounts:
        raise click.UsageError(f"--user does not apply to {table.name}")
    if first is not None and table is not None and not table.is_history:
        raise click.UsageError("--from does not apply to balances: use --to")


def _save(dump: Dump, table: Table, form: str, path: Path) -> dict[str, Any]:
    """Write one table into a file, with a progress bar for tables in block order."""
    blocks = dump.selection.blocks
    with BlockProgress(blocks.first - 1, quiet=not table.is_history) as bar, write_errors(path):
        return dump.save(table, form, path, lambda rows: bar.reached(rows[-1][table.block], blocks.last))


def _save_all(dump: Dump, form: str, folder: Path) -> dict[str, Any]:
    """Write every table into a folder, and the manifest last: a folder without it is incomplete."""
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
    files = [
        {"table": table.name, **_save(dump, table, form, folder / f"{table.name}.{form}")}
        for table in TABLES.values()
    ]
    manifest = {**dump.about, "format": form, "files": files}
    with write_errors(folder), atomic_write(folder / MANIFEST) as out:
        out.write(f"{json.dumps(manifest, indent=1)}\n".encode())
    return manifest


def _show_files(about: dict[str, Any], files: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print the export's facts as JSON, or the hashes to compare with other replicas."""
    if as_json:
        show(about, as_json=True)
        return
    show({name: about[name] for name in ("block", "journal_hash", "venue_hash")}, as_json=False)
    for saved in files:
        click.echo(f"{saved['sha256']}  {saved['file']}  {saved['rows']} rows")
