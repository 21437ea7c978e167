"""Backups: snapshots with the records of payouts, kept elsewhere: made, listed, fetched, thinned out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection

from indexer.ops.backup.files import working_folder
from indexer.ops.backup.retention import PART, VENUE_DIGITS, Backup, complete, expired, left_over
from indexer.ops.backup.snapshot_file import Count, Digest, Manifest, write_snapshot
from indexer.ops.backup.storage import Place, PlaceError
from settlement.store.write.snapshot import SnapshotError

FORMAT: Final = "peakedex-backup-1"
_MANIFEST_BYTES: Final = 1 << 16


class BackupManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What lies beside a backup's file; `size` and `sha256` are the file's."""

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


class Made(NamedTuple):
    """A backup that lies at its place and was read back, and those that were taken away for it."""

    backup: Backup
    manifest: BackupManifest
    deleted: list[Backup]


def make_backup(
    connection: Connection,
    place: Place,
    *,
    network: str,
    daily: int,
    rolling: int,
    on_rows: Callable[[int], object] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Made:
    """Back up what the connection's transaction sees. Older backups go only when this one is there.

    It takes room in the system's folder for temporary files: twice the backup's size. Raises PlaceError, and
    what `write_snapshot` does; nothing is left at the place then but what could not be deleted.
    """
    names = place.names()
    with working_folder() as folder:
        file = folder / "snapshot"
        with file.open("xb") as out:
            snapshot = write_snapshot(connection, out, network=network, payouts=True, on_rows=on_rows)
        made = now()
        backup = Backup(snapshot.venue_hash[:VENUE_DIGITS], made.replace(microsecond=0), snapshot.block)
        if any(name.startswith(backup.name) for name in names):
            raise PlaceError(f"{backup.name} is there already: another backup runs")
        manifest = _manifest(snapshot, file, made)
        text = folder / "manifest"
        text.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        _send(place, file, backup.snapshot)
        try:
            _send(place, text, backup.manifest)
        except PlaceError:
            _take_back(place, backup.snapshot)
            raise
    return Made(backup, manifest, _thin_out(place, backup.venue, daily, rolling, now()))


def _manifest(snapshot: Manifest, file: Path, made: datetime) -> BackupManifest:
    return BackupManifest(
        format=FORMAT,
        program=version("peakedex"),
        made=f"{made:%Y-%m-%dT%H:%M:%SZ}",
        size=file.stat().st_size,
        sha256=_sha256(file),
        network=snapshot.network,
        venue_hash=snapshot.venue_hash,
        block=snapshot.block,
        block_id=snapshot.block_id,
        time=snapshot.time,
        journal_hash=snapshot.journal_hash,
        state_hash=snapshot.state_hash,
        rows=snapshot.rows,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _send(place: Place, file: Path, name: str) -> None:
    """Upload under a name that is none of a backup, read it back, and give it its own."""
    part, again = name + PART, file.with_suffix(".again")
    try:
        place.put(file, part)
        place.get(part, again)
        if _sha256(again) != _sha256(file):
            raise PlaceError(f"{part} came back otherwise than it was sent: the place lost some of it")
        place.rename(part, name)
    except PlaceError:
        _take_back(place, part)
        raise
    finally:
        again.unlink(missing_ok=True)


def _take_back(place: Place, name: str) -> None:
    """Delete what is left of a failure, if the place still lets us; the next backups will try again."""
    with suppress(PlaceError):
        place.delete(name)


def _thin_out(place: Place, venue: str, daily: int, rolling: int, now: datetime) -> list[Backup]:
    """Delete the venue's backups that the policy does not keep, and what failures of long ago left there."""
    names = place.names()
    of_venue = [backup for backup in complete(names) if backup.venue == venue]
    surplus = expired(of_venue, daily, rolling)
    for backup in surplus:
        place.delete(backup.manifest)  # from here on it is no backup
        place.delete(backup.snapshot)
    for name in left_over(names, venue, now):
        place.delete(name)
    return surplus


def list_backups(place: Place) -> list[tuple[Backup, int]]:
    """The backups that are whole, newest first, with the size of each."""
    names = place.names()
    return [(backup, names[backup.snapshot]) for backup in complete(names)]


def choose(place: Place, name: str | None, venue_hash: str | None) -> Backup:
    """The backup of that name, or the newest one (of that venue). Raises PlaceError where there is none, or
    backups of several venues to choose from."""
    found = [backup for backup, _ in list_backups(place)]
    if venue_hash is not None:
        found = [backup for backup in found if backup.venue == venue_hash[:VENUE_DIGITS]]
    if name is not None:
        found = [backup for backup in found if backup.name == name]
    if not found:
        raise PlaceError("there is no such backup: `peakedex backup list` shows what there is")
    if len({backup.venue for backup in found}) > 1:
        raise PlaceError("these are of several venues: name one with --venue, or a backup with --name")
    return found[0]


def fetch(place: Place, backup: Backup, folder: Path) -> tuple[Path, BackupManifest]:
    """Download a backup and hold it against its manifest. Raises PlaceError, and SnapshotError."""
    text, file = folder / backup.manifest, folder / backup.snapshot
    place.get(backup.manifest, text)
    try:
        manifest = msgspec.json.decode(text.read_bytes()[:_MANIFEST_BYTES], type=BackupManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{backup.manifest} cannot be read: {error}") from None
    place.get(backup.snapshot, file)
    if (file.stat().st_size, _sha256(file)) != (manifest.size, manifest.sha256):
        raise SnapshotError(f"{backup.snapshot} is not the file that its manifest names: damaged")
    return file, manifest
