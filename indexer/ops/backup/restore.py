"""From a snapshot's file to a database: loaded where nobody sees it, verified, and only then put in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, select

from indexer.ops.backup.chain_check import confirm_block, confirm_claim
from indexer.ops.backup.snapshot_file import Manifest, SnapshotFile, open_snapshot
from settlement.core.venue import Venue, parse_venue
from settlement.store import payout_schema, schema
from settlement.store.database import StoreError, closing_writer, is_sqlite, parse_url
from settlement.store.lease import Lease
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

_ROOM: Final = 3
"""A database with its indexes, and what SQLite keeps beside it meanwhile, against its rows as text."""
_Rows: TypeAlias = list[tuple[Any, ...]]
_BESIDE: Final = ("-wal", "-shm", "-journal")


class Wanted(NamedTuple):
    """What a snapshot is held against, beside itself."""

    venue: Venue | None = None
    nodes: tuple[str, ...] = ()
    ignore_claim: bool = False


class Restored(NamedTuple):
    """What was restored; the checkpoint that agreed, where there was one; where the old database went."""

    manifest: Manifest
    claim: CheckpointClaim | None
    old: Path | None = None


def restore(
    path: Path,
    url: str,
    wanted: Wanted,
    *,
    replace: bool = False,
    on_rows: Callable[[int], object] = lambda _: None,
) -> Restored:
    """A snapshot into a database that is new or empty; with `replace` in place of one that is there.

    Nothing shows at the database's name before all is verified. `on_rows` is told how many rows came. Raises
    SnapshotError for what does not prove itself, StoreError for a database that cannot be used.
    """
    parsed = parse_url(url)
    with open_snapshot(path) as snapshot:
        if wanted.venue is not None and wanted.venue.hash != snapshot.manifest.venue_hash:
            raise SnapshotError(f"it is of another venue ({snapshot.manifest.venue_hash[:16]}…)")
        if not is_sqlite(parsed):
            return _fill(url, snapshot, wanted, on_rows)
        if not parsed.database:
            raise StoreError("a restored database needs a file: name it with --db")
        target = Path(parsed.database).absolute()
        _check_room(target.parent, snapshot.manifest)
        with _new_file(target) as new:
            venue_hash = snapshot.manifest.venue_hash if replace else None
            with _held(target, venue_hash) if target.exists() else nullcontext():
                restored = _fill(f"sqlite:///{new}", snapshot, wanted, on_rows)
            try:
                old = _put_in_place(new, target, keep=replace)
            except OSError as error:
                raise StoreError(f"{target} cannot be put in place: {error.strerror}") from error
            return restored._replace(old=old)


def _fill(url: str, snapshot: SnapshotFile, wanted: Wanted, on_rows: Callable[[int], object]) -> Restored:
    """All rows, and whether they are right, in one transaction."""
    with closing_writer(url) as engine, engine.begin() as connection:
        check_empty(connection)
        for table, parts in snapshot.rows():
            write_rows(connection, table, _counted(parts, on_rows))
        prepare_reading(connection)
        claim = _check(connection, snapshot.manifest, wanted)
    return Restored(snapshot.manifest, claim)


def _counted(parts: Iterator[_Rows], on_rows: Callable[[int], object]) -> Iterator[_Rows]:
    for part in parts:
        yield part
        on_rows(len(part))


def _check(connection: Connection, manifest: Manifest, wanted: Wanted) -> CheckpointClaim | None:
    """Everything that can be checked: the rows by themselves, the operator's claim, and the chain."""
    verify(connection, manifest.head)
    for node in wanted.nodes:
        confirm_block(node, manifest.head)
    claim = newest_checkpoint(connection, manifest.block)
    if claim is None or wanted.ignore_claim:
        return None
    check_checkpoint(connection, manifest.head, claim)
    venue = wanted.venue or parse_venue(connection.execute(select(schema.cursor.c.venue_text)).scalar_one())
    for node in wanted.nodes:
        confirm_claim(node, claim, venue)
    return claim


# -- SQLite's file ----------------------------------------------------------------------------------


@contextmanager
def _held(target: Path, venue_hash: str | None) -> Iterator[None]:
    """While no indexer and no payouts process may work on a database that is there. Raises StoreError.

    It must be of that venue, or empty. In the end all that SQLite keeps beside the file has gone into it.
    """
    with closing_writer(f"sqlite:///{target}") as engine:
        with engine.connect() as connection:
            found = connection.scalar(select(schema.cursor.c.venue_hash))
            if found is None or found != venue_hash:
                check_empty(connection)
        with Lease(engine), Lease(engine, table=payout_schema.lease, role="payouts process"):
            yield
        raw = engine.raw_connection()  # without a transaction: that would be in the way
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()


def _check_room(folder: Path, manifest: Manifest) -> None:
    if not folder.is_dir():
        raise StoreError(f"database folder {folder} does not exist: create it, or mend --db")
    needed, free = manifest.bytes * _ROOM, shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"{folder} has room for {free >> 20} MB, and this may take {needed >> 20} MB: make room, or name "
            "another place with --db"
        )


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A name beside the target for a new database; nothing is left there in the end."""
    new = target.with_name(f"{target.name}.restoring-{os.getpid()}")
    try:
        yield new
    finally:
        for ending in ("", *_BESIDE):
            Path(f"{new}{ending}").unlink(missing_ok=True)


def _put_in_place(new: Path, target: Path, *, keep: bool) -> Path | None:
    """The new file under the target's name, with the rights of the one before, which gets a name beside it.

    At every moment there is a whole database under that name, but for one that was empty.
    """
    old = None
    if not target.exists():
        _take_rights(new, target.parent, mode=False)
    else:
        _take_rights(new, target, mode=True)
        if keep:
            old = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            os.link(target, old)
        for ending in _BESIDE:  # empty by now, but open where somebody still reads the old database
            beside = Path(f"{target}{ending}")
            if beside.exists():
                beside.rename(f"{old or new}{ending}")
    new.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return old


def _take_rights(new: Path, model: Path, *, mode: bool) -> None:
    """The owner of what was there before, or of the folder: root may restore for a service's user."""
    status = model.stat()
    if mode:
        new.chmod(status.st_mode)
    if os.geteuid() == 0:
        os.chown(new, status.st_uid, status.st_gid)
