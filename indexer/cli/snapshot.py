"""`peakedex snapshot`: the whole database as one portable file."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, read_venue, require_db, show
from indexer.cli.support.progress import row_progress
from indexer.ops.backup.files import new_file
from indexer.ops.backup.restore import RestoreChecks, Restored
from indexer.ops.backup.restore import restore as restore_snapshot
from indexer.ops.backup.snapshot_file import Manifest, write_snapshot
from settlement.store.database import open_reader

_RESTORE_OPTIONS: Final = (
    config.setting("db"),
    config.setting("venue", help="Require this venue."),
    config.setting(
        "node", default=(), help="A Hive node to verify block and checkpoint with; repeat for more."
    ),
    click.option(
        "--ignore-checkpoint",
        is_flag=True,
        help="Restore even if the operator's newest checkpoint does not match.",
    ),
    json_option,
)


def restore_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator that adds the options of a restore to a command."""
    for option in reversed(_RESTORE_OPTIONS):
        command = option(command)
    return command


def restore_checks(venue: Path | None, nodes: tuple[str, ...], *, ignore_checkpoint: bool) -> RestoreChecks:
    """The checks that the options of a restore ask for. Raises VenueError."""
    return RestoreChecks(read_venue(venue) if venue else None, nodes, ignore_checkpoint)


@click.group()
def snapshot() -> None:
    """Copy the database to or from one portable file."""


@snapshot.command()
@config.setting("db")
@config.setting("network")
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; it must not exist.",
)
@json_option
def create(db: str | None, network: str, path: Path, as_json: bool) -> None:
    """Write a consistent snapshot while the indexer runs.

    Every replica writes the same file at the same block, with either kind of database. The payout log is not
    in it, so it can be published.

    Example: peakedex snapshot create --db peakedex.db --to peakedex.snapshot
    """
    engine = open_reader(require_db(db))
    with (
        cleanup_on_sigterm(),
        engine.connect() as connection,
        new_file(path) as file,
        row_progress(None, quiet=as_json) as on_rows,
    ):
        manifest = write_snapshot(connection, file, network=network, on_rows=on_rows)
    engine.dispose()
    show({**_facts(manifest), "bytes": path.stat().st_size}, as_json=as_json)


@snapshot.command()
@click.option(
    "--from",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The snapshot file.",
)
@restore_options
def restore(
    path: Path,
    db: str | None,
    venue: Path | None,
    node: tuple[str, ...],
    ignore_checkpoint: bool,
    as_json: bool,
) -> None:
    """Create a database from a snapshot, which `peakedex follow` can continue.

    The database must be new or empty. It appears only after the state hash, the journal's hash chain, the
    venue and the operator's newest checkpoint are verified.

    Example: peakedex snapshot restore --from peakedex.snapshot --db new.db --venue venues/example.toml
    """
    url = require_db(db)
    checks = restore_checks(venue, node, ignore_checkpoint=ignore_checkpoint)
    with cleanup_on_sigterm(), row_progress(None, quiet=as_json) as on_rows:
        restored = restore_snapshot(path, url, checks, on_rows=on_rows)
    show_restored(restored, checks, {}, as_json=as_json)


def _facts(manifest: Manifest) -> dict[str, object]:
    """The facts of a snapshot that commands print."""
    names = ("network", "venue_hash", "block", "block_id", "time", "journal_hash", "state_hash", "rows")
    return {name: getattr(manifest, name) for name in names}


def show_restored(
    restored: Restored, checks: RestoreChecks, facts: dict[str, object], *, as_json: bool
) -> None:
    """Print what was restored, after further `facts`."""
    claim, nodes = restored.claim, len(checks.nodes)
    if claim is None:
        checkpoint = "none"
    else:
        verified = f"verified by {nodes} nodes" if nodes else "not verified by a node"
        checkpoint = f"block {claim.claimed_block} matches ({verified})"
    facts = {
        **facts,
        **_facts(restored.manifest),
        "checkpoint": checkpoint,
        "payouts": "start paused: see `peakedex payouts status`",
        "old_database": None if restored.old is None else str(restored.old),
    }
    show(facts, as_json=as_json)


@contextmanager
def cleanup_on_sigterm() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that incomplete files are removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
