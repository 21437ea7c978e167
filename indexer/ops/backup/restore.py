"""Restores a snapshot: loads it into a new database, verifies it, and then puts it in place."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Engine, select

from indexer.ops.backup.chain_check import confirm_block, confirm_claim
from indexer.ops.backup.folder_owner import acting_as_owner
from indexer.ops.backup.snapshot_file import Manifest, SnapshotFile, open_snapshot
from settlement.core.venue import Venue, parse_venue
from settlement.store import payout_schema, schema
from settlement.store.database import StoreError, closing_writer, is_sqlite, parse_url
from settlement.store.lease import Lease
from settlement.store.payout_pause import pause_at_next_start
from settlement.store.write.snapshot import (
    CheckpointClaim,
    SnapshotError,
    check_checkpoint,
    check_empty,
    newest_checkpoint,
    prepare_reading,
    verify,
    write_rows,
)

_SPACE_FACTOR: Final = 3
"""Disk space of a database with its indexes and SQLite's journal, relative to its rows as text."""
_Rows: TypeAlias = list[tuple[Any, ...]]
_SQLITE_SUFFIXES: Final = ("-wal", "-shm", "-journal")


class RestoreChecks(NamedTuple):
    """What a snapshot is verified with, besides its own hashes."""

    venue: Venue | None = None  # the required venue; None: any
    nodes: tuple[str, ...] = ()  # Hive nodes that must have its block and checkpoint
    ignore_checkpoint: bool = False  # accept it even if the operator's newest checkpoint differs


class Restored(NamedTuple):
    """A restored snapshot."""

    manifest: Manifest
    claim: CheckpointClaim | None
    old: Path | str | None = None  # the previous SQLite file or PostgreSQL database under its new name


def restore(
    path: Path,
    url: str,
    checks: RestoreChecks,
    *,
    replace: bool = False,
    on_rows: Callable[[int], object] = lambda _: None,
) -> Restored:
    """Restore a snapshot into a new or empty database, or, with `replace`, instead of an existing one.

    The database appears under its name only when everything is verified. `on_rows` is called with the number
    of further rows. Raises SnapshotError for an invalid snapshot, StoreError for an unusable database.
    """
    parsed = parse_url(url)
    with open_snapshot(path) as snapshot:
        if checks.venue is not None and checks.venue.hash != snapshot.manifest.venue_hash:
            raise SnapshotError(f"it belongs to another venue ({snapshot.manifest.venue_hash[:16]}…)")
        if not is_sqlite(parsed):
            if not replace or _has_no_venue(url):
                return _fill(url, snapshot, checks, on_rows)
            return _replace(url, snapshot, checks, on_rows)
        if not parsed.database:
            raise StoreError("an in-memory database cannot be restored: choose a file with --db")
        target = Path(parsed.database).absolute()
        _check_disk_space(target.parent, snapshot.manifest)
        with acting_as_owner(target), _new_file(target) as new:
            venue_hash = snapshot.manifest.venue_hash if replace else None
            with _locked_file(target, venue_hash) if target.exists() else nullcontext():
                restored = _fill(f"sqlite:///{new}", snapshot, checks, on_rows)
            try:
                old = _put_in_place(new, target, keep=replace)
            except OSError as error:
                raise StoreError(f"{target} cannot be put in place: {error.strerror}") from error
            return restored._replace(old=old)


def _fill(
    url: str, snapshot: SnapshotFile, checks: RestoreChecks, on_rows: Callable[[int], object]
) -> Restored:
    """Load and verify all rows in one transaction."""
    with closing_writer(url) as engine, engine.begin() as connection:
        check_empty(connection)
        for table, parts in snapshot.rows():
            write_rows(connection, table, _counted(parts, on_rows))
        prepare_reading(connection)
        claim = _check(connection, snapshot.manifest, checks)
        pause_at_next_start(connection)
    return Restored(snapshot.manifest, claim)


def _counted(parts: Iterator[_Rows], on_rows: Callable[[int], object]) -> Iterator[_Rows]:
    for part in parts:
        yield part
        on_rows(len(part))


def _check(connection: Connection, manifest: Manifest, checks: RestoreChecks) -> CheckpointClaim | None:
    """Verify the rows, the operator's newest checkpoint, and both with the nodes."""
    verify(connection, manifest.head)
    for node in checks.nodes:
        confirm_block(node, manifest.head)
    claim = newest_checkpoint(connection, manifest.block)
    if claim is None or checks.ignore_checkpoint:
        return None
    check_checkpoint(connection, manifest.head, claim)
    venue = checks.venue or parse_venue(connection.execute(select(schema.cursor.c.venue_text)).scalar_one())
    for node in checks.nodes:
        confirm_claim(node, claim, venue)
    return claim


@contextmanager
def _locked(engine: Engine, venue_hash: str | None) -> Iterator[None]:
    """Hold the leases of an existing database, so that no indexer and no payouts process uses it.

    It must be empty or of that venue. Raises StoreError.
    """
    with engine.connect() as connection:
        found = connection.scalar(select(schema.cursor.c.venue_hash))
        if found is None or found != venue_hash:
            check_empty(connection)
    with Lease(engine), Lease(engine, table=payout_schema.lease, role="payouts process"):
        yield


# -- PostgreSQL -------------------------------------------------------------------------------------


def _has_no_venue(url: str) -> bool:
    """Whether no indexer has begun in this database."""
    with closing_writer(url) as engine, engine.connect() as connection:
        return connection.scalar(select(schema.cursor.c.venue_hash)) is None


def _replace(
    url: str, snapshot: SnapshotFile, checks: RestoreChecks, on_rows: Callable[[int], object]
) -> Restored:
    """Restore into a new database beside the old one, and exchange their names once it is verified."""
    from indexer.ops.backup.database_switch import DatabaseSwitch  # noqa: PLC0415 - imports the driver

    with DatabaseSwitch(parse_url(url)) as switch:
        with closing_writer(url) as engine, _locked(engine, snapshot.manifest.venue_hash):
            switch.create()
            restored = _fill(switch.url, snapshot, checks, on_rows)
            switch.copy_table_rights()
        return restored._replace(old=switch.exchange())


# -- SQLite files -----------------------------------------------------------------------------------


@contextmanager
def _locked_file(target: Path, venue_hash: str | None) -> Iterator[None]:
    """Hold the leases of an SQLite file. On exit its write-ahead log is merged into the file."""
    with closing_writer(f"sqlite:///{target}") as engine:
        with _locked(engine, venue_hash):
            yield
        raw = engine.raw_connection()  # a checkpoint is impossible within a transaction
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()


def _check_disk_space(folder: Path, manifest: Manifest) -> None:
    if not folder.is_dir():
        raise StoreError(f"database folder {folder} does not exist: create it, or correct --db")
    needed, free = manifest.bytes * _SPACE_FACTOR, shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"{folder} has {free >> 20} MB free, but {needed >> 20} MB may be needed: free disk space, or "
            "choose another folder with --db"
        )


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A temporary path beside the target for a new database; its files are removed on exit."""
    new = target.with_name(f"{target.name}.restoring-{os.getpid()}")
    try:
        yield new
    finally:
        for suffix in ("", *_SQLITE_SUFFIXES):
            Path(f"{new}{suffix}").unlink(missing_ok=True)


def _put_in_place(new: Path, target: Path, *, keep: bool) -> Path | None:
    """Rename the new file to the target, with the same permissions; keep the old one under another name.

    At any moment there is a complete database under the target's name, unless the old one was empty.
    """
    old = None
    _set_permissions(new, target)
    if target.exists():
        if keep:
            old = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            os.link(target, old)
        for suffix in _SQLITE_SUFFIXES:  # empty, but other processes may have them open
            beside = Path(f"{target}{suffix}")
            if beside.exists():
                beside.rename(f"{old or new}{suffix}")
    new.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return old


def _set_permissions(new: Path, target: Path) -> None:
    """Copy the old file's mode and group, and as root its owner. Without an old file, use the folder's."""
    if not target.exists():
        if os.geteuid() != os.getuid():  # root acts for the owner, with root's umask
            new.chmod(stat.S_IMODE(target.parent.stat().st_mode) & 0o664)
        return
    old = target.lstat()
    new.chmod(stat.S_IMODE(old.st_mode) & 0o666)
    if os.geteuid() == 0:
        os.chown(new, old.st_uid, old.st_gid)
    elif new.stat().st_gid != old.st_gid:
        with suppress(PermissionError):  # not a member of that group
            os.chown(new, -1, old.st_gid)
