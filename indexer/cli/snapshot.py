"""`peakedex snapshot`: a whole exchange in one portable file, and back."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, read_venue, require_db, show
from indexer.ops.backup.files import new_file
from indexer.ops.backup.restore import Restored, Wanted
from indexer.ops.backup.restore import restore as restore_snapshot
from indexer.ops.backup.snapshot_file import Manifest, write_snapshot
from settlement.store.database import open_reader

ignore_checkpoint_option = click.option(
    "--ignore-checkpoint",
    is_flag=True,
    help="Restore it although the operator's newest checkpoint says otherwise.",
)
node_to_ask = config.setting(
    "node", default=(), help="A Hive node to hold block and checkpoint against; repeat for more. Else none."
)


@click.group()
def snapshot() -> None:
    """A whole exchange in one file, portable between SQLite and PostgreSQL."""


@snapshot.command()
@config.setting("db")
@config.setting("network")
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; it must not exist yet.",
)
@json_option
def create(db: str | None, network: str, path: Path, as_json: bool) -> None:
    """Write a snapshot, of one moment, while the indexer runs. Prints what it is of.

    Two nodes at the same block write the same file, whatever their databases. Records of payouts stay out of
    it: anybody may have it.

    Example: peakedex snapshot create --db peakedex.db --to peakedex.snapshot
    """
    engine = open_reader(require_db(db))
    with (
        tidily(),
        engine.connect() as connection,
        new_file(path) as file,
        progress(None, as_json) as on_rows,
    ):
        manifest = write_snapshot(connection, file, network=network, on_rows=on_rows)
    engine.dispose()
    show({**described(manifest), "bytes": path.stat().st_size}, as_json=as_json)


@snapshot.command()
@click.option(
    "--from",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A snapshot's file.",
)
@config.setting("db")
@config.setting("venue")
@node_to_ask
@ignore_checkpoint_option
@json_option
def restore(
    path: Path,
    db: str | None,
    venue: Path | None,
    node: tuple[str, ...],
    ignore_checkpoint: bool,
    as_json: bool,
) -> None:
    """Make a database of a snapshot; `peakedex follow` then goes on from it.

    The database must be new or empty. Nothing shows there before the state's hash, the journal's hash chain,
    the venue and the operator's newest checkpoint agree.

    Example: peakedex snapshot restore --from peakedex.snapshot --db new.db --venue venues/example.toml
    """
    url = require_db(db)
    wanted = Wanted(read_venue(venue) if venue else None, node, ignore_checkpoint)
    with tidily(), progress(None, as_json) as on_rows:
        restored = restore_snapshot(path, url, wanted, on_rows=on_rows)
    show(outcome(restored, wanted), as_json=as_json)


def described(manifest: Manifest) -> dict[str, object]:
    """What a snapshot is of, as commands print it."""
    names = ("network", "venue_hash", "block", "block_id", "time", "journal_hash", "state_hash", "rows")
    return {name: getattr(manifest, name) for name in names}


def outcome(restored: Restored, wanted: Wanted) -> dict[str, object]:
    """What was restored, and by whose word."""
    claim, nodes = restored.claim, len(wanted.nodes)
    if claim is None:
        word = "none"
    else:
        seen = f"seen at {nodes} nodes" if nodes else "by the file's word"
        word = f"block {claim.claimed_block} agrees ({seen})"
    return {
        **described(restored.manifest),
        "checkpoint": word,
        "old_database": None if restored.old is None else str(restored.old),
    }


@contextmanager
def tidily() -> Iterator[None]:
    """SIGTERM ends what goes on as Ctrl-C does: what is half done is taken away first."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress(rows: int | None, as_json: bool) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal, of so many rows if that is known."""
    if as_json or not sys.stderr.isatty():
        yield lambda _: None
        return
    length: Any = count() if rows is None else range(rows)
    with click.progressbar(length, label="rows", file=sys.stderr, show_pos=True) as bar:
        yield bar.update
