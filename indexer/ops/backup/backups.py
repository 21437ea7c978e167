"""Backups in remote storage: snapshots with the payout log. Creating, listing, fetching and retention."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection

from indexer.ops.backup.files import working_folder
from indexer.ops.backup.retention import PART, VENUE_DIGITS, Backup, complete, expired, stale_files
from indexer.ops.backup.snapshot_file import Count, Digest, Manifest, write_snapshot
from indexer.ops.backup.storage import Storage, StorageError, upload
from indexer.sources.evidence import sha256_of
from settlement.store.write.snapshot import SnapshotError

FORMAT: Final = "peakedex-backup-1"
_MANIFEST_BYTES: Final = 1 << 16


class BackupManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Manifest of a backup. `size` and `sha256` are those of the snapshot file."""

    format: Literal["peakedex-backup-1"]
    program: str
    made: str
    size: Count
    sha256: Digest
    network: str
    venue_hash: Digest
    block: Count
    block_id: str | None
    time: Annotated[str, msgspec.Meta(max_length=30)] | None
    journal_hash: Digest
    state_hash: Digest
    rows: Count


class BackupResult(NamedTuple):
    """A created and verified backup, and the older backups that were deleted."""

    backup: Backup
    manifest: BackupManifest
    deleted: list[Backup]


def make_backup(
    connection: Connection,
    storage: Storage,
    *,
    network: str,
    daily: int,
    rolling: int,
    on_rows: Callable[[int], object] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BackupResult:
    """Back up the database as the connection's transaction sees it, then delete older backups.

    It needs temporary disk space of twice the backup's size. Raises StorageError, and the errors of
    `write_snapshot`, after removing the files it uploaded, if possible.
    """
    names = storage.names()
    with working_folder() as folder:
        file = folder / "snapshot"
        with file.open("xb") as out:
            snapshot = write_snapshot(connection, out, network=network, payouts=True, on_rows=on_rows)
        made = now()
        backup = Backup(snapshot.venue_hash[:VENUE_DIGITS], made.replace(microsecond=0), snapshot.block)
        if any(name.startswith(backup.name) for name in names):
            raise StorageError(f"{backup.name} exists already: another backup is running")
        manifest = _manifest(snapshot, file, made)
        text = folder / "manifest"
        text.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        _send(storage, file, backup.snapshot)
        try:
            _send(storage, text, backup.manifest)
        except StorageError:
            _try_delete(storage, backup.snapshot)
            raise
    return BackupResult(backup, manifest, _apply_retention(storage, backup.venue, daily, rolling, now()))


def _manifest(snapshot: Manifest, file: Path, made: datetime) -> BackupManifest:
    return BackupManifest(
        format=FORMAT,
        program=version("peakedex"),
        made=f"{made:%Y-%m-%dT%H:%M:%SZ}",
        size=file.stat().st_size,
        sha256=sha256_of(file),
        network=snapshot.network,
        venue_hash=snapshot.venue_hash,
        block=snapshot.block,
        block_id=snapshot.block_id,
        time=snapshot.time,
        journal_hash=snapshot.journal_hash,
        state_hash=snapshot.state_hash,
        rows=snapshot.rows,
    )


def _send(storage: Storage, file: Path, name: str) -> None:
    """Upload under a temporary name, then rename."""
    part = name + PART
    try:
        upload(storage, file, part)
        storage.rename(part, name)
    except StorageError:
        _try_delete(storage, part)
        raise


def _try_delete(storage: Storage, name: str) -> None:
    """Delete a file after a failure. If that fails too, a later backup deletes it."""
    with suppress(StorageError):
        storage.delete(name)


def _apply_retention(storage: Storage, venue: str, daily: int, rolling: int, now: datetime) -> list[Backup]:
    """Delete the venue's expired backups and the files of incomplete ones."""
    names = storage.names()
    of_venue = [backup for backup in complete(names) if backup.venue == venue]
    surplus = expired(of_venue, daily, rolling)
    for backup in surplus:
        storage.delete(backup.manifest)  # now the backup is incomplete
        storage.delete(backup.snapshot)
    for name in stale_files(names, venue, now):
        storage.delete(name)
    return surplus


def list_backups(storage: Storage) -> list[tuple[Backup, int]]:
    """The complete backups, newest first, with the size of each in bytes."""
    names = storage.names()
    return [(backup, names[backup.snapshot]) for backup in complete(names)]


def choose(storage: Storage, name: str | None, venue_hash: str | None) -> Backup:
    """The backup of that name, or the newest one, of that venue if given.

    Raises StorageError if there is none, or if the venue is ambiguous.
    """
    found = [backup for backup, _ in list_backups(storage)]
    if venue_hash is not None:
        found = [backup for backup in found if backup.venue == venue_hash[:VENUE_DIGITS]]
    if name is not None:
        found = [backup for backup in found if backup.name == name]
    if not found:
        raise StorageError("no such backup: see `peakedex backup list`")
    if len({backup.venue for backup in found}) > 1:
        raise StorageError("there are backups of several venues: choose one with --venue or --name")
    return found[0]


def fetch(storage: Storage, backup: Backup, folder: Path) -> tuple[Path, BackupManifest]:
    """Download a backup and verify it with its manifest. Raises StorageError and SnapshotError."""
    text, file = folder / backup.manifest, folder / backup.snapshot
    storage.get(backup.manifest, text)
    try:
        manifest = msgspec.json.decode(text.read_bytes()[:_MANIFEST_BYTES], type=BackupManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{backup.manifest} cannot be read: {error}") from None
    storage.get(backup.snapshot, file)
    if (file.stat().st_size, sha256_of(file)) != (manifest.size, manifest.sha256):
        raise SnapshotError(f"{backup.snapshot} does not match its manifest: it is damaged")
    return file, manifest
