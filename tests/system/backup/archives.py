"""Creates, unpacks and falsifies snapshot files."""

from __future__ import annotations

import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard
from sqlalchemy import delete, update

from indexer.ops.backup.restore import RestoreChecks, Restored, restore
from indexer.ops.backup.snapshot_file import Manifest, write_snapshot
from settlement.store import payout_schema
from settlement.store.database import closing_writer, open_reader
from settlement.store.payout_pause import AFTER_RESTORE, RUNNING, read_pause

Members = dict[str, bytes]


def create(url: str, path: Path, **options: Any) -> Manifest:
    """Create a snapshot of a database."""
    engine = open_reader(url)
    with engine.connect() as connection, path.open("wb") as file:
        manifest = write_snapshot(connection, file, network="test", **options)
    engine.dispose()
    return manifest


def load(path: Path, url: str, **wanted: Any) -> Restored:
    """Restore a snapshot, ignoring checkpoints, which are random in generated chains."""
    return restore(path, url, RestoreChecks(**{"ignore_checkpoint": True, **wanted}))


def resume_payouts(url: str, restores: int = 1) -> None:
    """Take back what restores leave in a database: payouts start paused, and each counts as a decision."""
    settings = payout_schema.settings
    with closing_writer(url) as engine, engine.begin() as connection:
        assert read_pause(connection) == AFTER_RESTORE
        connection.execute(update(settings).values(pause=RUNNING, decisions=settings.c.decisions - restores))
        connection.execute(delete(settings).where(settings.c.decisions == 0))


def members(path: Path) -> Members:
    """The members of a tar file."""
    with tarfile.open(path) as tar:
        files = {info.name: tar.extractfile(info) for info in tar}
        return {name: file.read() for name, file in files.items() if file is not None}


def write(path: Path, contents: Members) -> Path:
    """A tar of these members."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def rows_of(contents: Members, table: str) -> list[Any]:
    """A table's rows."""
    text = zstandard.ZstdDecompressor().decompress(contents[f"{table}/000001.jsonl.zst"])
    return [json.loads(line) for line in text.splitlines()]


def lie(path: Path, changes: dict[str, Any], **figures: Any) -> Path:
    """Replace rows of some tables (a list, or raw text), with a matching manifest."""
    contents = members(path)
    manifest = json.loads(contents.pop("manifest.json"))
    for table, rows in changes.items():
        text = rows if isinstance(rows, bytes) else b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        count = text.count(b"\n")
        name = f"{table}/000001.jsonl.zst"
        if text:
            contents[name] = zstandard.compress(text)  # where it was
        else:
            del contents[name]
        manifest["tables"][table] = {"rows": count, "bytes": len(text), "sha256": sha256(text).hexdigest()}
    contents["manifest.json"] = json.dumps({**manifest, **figures}).encode()
    return write(path, contents)


def files(folder: Path) -> list[str]:
    """The names in a folder, without SQLite's journal files."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm")))
