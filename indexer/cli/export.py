"""`peakedex export`: the ledger's tables as files, for analysts and for transparency."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, require_db, show
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.progress import Bar
from indexer.ops.export.dump import FORMATS, Dump, ExportError, Wanted, put_in_place
from indexer.ops.export.tables import TABLES, Table
from settlement.core.parsing.names import is_account
from settlement.store.database import open_reader

MANIFEST: Final = "manifest.json"


def _check_user(_context: object, _option: object, name: str | None) -> str | None:
    if name is not None and not is_account(name):
        raise click.BadParameter("must be the name of a Hive account, like alice")
    return name


@click.command()
@click.argument("table", required=False, type=click.Choice(list(TABLES)), metavar=f"[{'|'.join(TABLES)}]")
@click.option(
    "--all",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write all six tables, of one moment, into this folder, and manifest.json.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True, help="The kind of file."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; standard output without it.",
)
@config.setting("db")
@click.option(
    "--from", "first", type=click.IntRange(1), metavar="BLOCK", help="What began in this block or later."
)
@click.option(
    "--to",
    "last",
    type=click.IntRange(1),
    metavar="BLOCK",
    help="As it was at the end of this block; of the last one recorded without it.",
)
@click.option("--user", callback=_check_user, metavar="NAME", help="What this account took part in.")
@click.option("--pair", metavar="BASE/QUOTE", help="Orders and trades of this pair.")
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
    """Write a table of the ledger as CSV, JSON or Parquet, for analysts and for transparency.

    The same blocks give the same bytes from every replica, at any later time; with --out or --all their
    sha256 is shown. The indexer may go on meanwhile. Columns and examples: docs/analysts.md.

    Example: peakedex export trades --db peakedex.db --format parquet --out trades.parquet
    """
    if (table is None) == (folder is None):
        raise click.UsageError(f"name one table ({', '.join(TABLES)}), or give --all DIR for all of them")
    chosen = TABLES[table] if table is not None else None
    _check_together(chosen, form, out, first, pair, as_json)
    with open_reader(require_db(db)).connect() as connection:
        try:
            dump = Dump.open(connection, Wanted(first, last, user, pair))
            if folder is not None:
                manifest = _save_all(dump, form, folder)
                _tell(manifest, manifest["files"], as_json)
            elif chosen is not None and out is not None:
                saved = _save(dump, chosen, form, out)
                _tell({**dump.describe(chosen), "format": form, **saved}, [saved], as_json)
            elif chosen is not None:
                _print(dump, chosen, form)
        except ExportError as error:
            raise ConfigurationError(error) from error


def _check_together(
    table: Table | None, form: str, out: Path | None, first: int | None, pair: str | None, as_json: bool
) -> None:
    """Options that do not go together. Raises click.UsageError."""
    to_stdout = table is not None and out is None
    if to_stdout and form == "parquet":
        raise click.UsageError("--format parquet needs --out FILE")
    if to_stdout and as_json:
        raise click.UsageError("--json tells of a file: give --out FILE (the rows as JSON: --format json)")
    if table is None and out is not None:
        raise click.UsageError("--all DIR and --out FILE are two places: give one of them")
    if pair is not None and (table is None or not table.is_of_pairs):
        raise click.UsageError("--pair is for orders and trades")
    if first is not None and table is not None and not table.is_history:
        raise click.UsageError("balances are of one moment: give --to alone")


def _print(dump: Dump, table: Table, form: str) -> None:
    try:
        dump.write(table, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # the reader has seen enough: click ends quietly
    except OSError as error:
        raise CheckFailed(f"standard output: {error.strerror}; what was written is not whole") from error


def _save(dump: Dump, table: Table, form: str, path: Path) -> dict[str, Any]:
    """One table into a file, with a progress bar on a terminal: histories come block by block."""
    blocks = dump.asked.blocks
    with Bar(blocks.first - 1, quiet=not table.is_history) as bar, _written(path):
        return dump.save(table, form, path, lambda rows: bar.reached(rows[-1][table.block], blocks.last))


def _save_all(dump: Dump, form: str, folder: Path) -> dict[str, Any]:
    """Every table into a folder, and last of all what they are: without it a dump is not whole."""
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
    files = [
        {"table": table.name, **_save(dump, table, form, folder / f"{table.name}.{form}")}
        for table in TABLES.values()
    ]
    manifest = {**dump.about, "format": form, "files": files}
    with _written(folder), put_in_place(folder / MANIFEST) as out:
        out.write(f"{json.dumps(manifest, indent=1)}\n".encode())
    return manifest


def _tell(about: dict[str, Any], files: Sequence[dict[str, Any]], as_json: bool) -> None:
    """What was written: for machines all of it, for people what to compare with others."""
    if as_json:
        show(about, as_json=True)
        return
    show({name: about[name] for name in ("block", "journal_hash", "venue_hash")}, as_json=False)
    for saved in files:
        click.echo(f"{saved['sha256']}  {saved['file']}  {saved['rows']} rows")


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """What a disk or folder refuses, as one line."""
    try:
        yield
    except OSError as error:
        raise CheckFailed(f"{path}: {error.strerror or error}; nothing took its place") from error
