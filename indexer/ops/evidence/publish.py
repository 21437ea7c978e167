"""Publishes evidence into a storage, part by part, so that what a reader finds there is always complete.

A part of full size is never written again. The last one is unfinished: the next run takes its blocks over
into a longer one under another name, which replaces it. Each step uploads new files, then replaces the
manifest, then deletes what neither the new manifest nor the one before names: a run that is killed leaves
the older evidence, and files that nothing names.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
import zstandard
from sqlalchemy import Connection, Engine, select

from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts
from indexer.ops.backup.retention import PART
from indexer.ops.backup.storage import Storage, StorageError, upload
from indexer.ops.evidence.part_writer import LastBlock, PartWriter
from indexer.sources.evidence import (
    FORMAT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    VENUE,
    EvidenceFile,
    EvidenceManifest,
    Part,
    parse_manifest,
    sha256_of,
    state_name,
)
from indexer.sources.source import Cursor, SourceError
from settlement.core.journal.lines import iso_time
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.read.audit.journal import hash_before, read_journal
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.position import has_complete_history

PART_BLOCKS: Final = 100_000
"""A part ends before each block whose number is a multiple of this: three and a half days of Hive."""
OURS: Final = re.compile(r"(headers|blocks|receipts|journal|state)-[0-9-]+\.(txt|jsonl)\.zst(\.part)?")
_BLOCK_LINE: Final = 2
"""The line of a state text that names its block, from 0."""


class BlockSource(Protocol):
    """Source of irreversible, linked blocks; receipts are not needed."""

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every block above the cursor, in order and without gaps."""
        ...


class Published(NamedTuple):
    """What a run did."""

    manifest: EvidenceManifest
    blocks: int  # that were read
    files: int  # that were uploaded, and their bytes
    bytes: int


class Publisher:
    """Publishes one database's history into one storage."""

    def __init__(
        self,
        engine: Engine,
        storage: Storage,
        *,
        network: str,
        part_blocks: int = PART_BLOCKS,
    ) -> None:
        """Raises StoreError for a database that has no whole history, or none yet."""
        with engine.connect() as connection:
            c = schema.cursor.c
            at = connection.execute(select(c.block, c.block_id, c.venue_text)).one_or_none()
            if at is None or at.block_id is None:
                raise StoreError("the database is still empty: start `peakedex follow` first")
            if not has_complete_history(connection):
                raise StoreError(
                    "this database's history begins with a state text: publish from one that has followed "
                    "the venue from its first block"
                )
        self._venue_text = str(at.venue_text)
        self.venue = parse_venue(self._venue_text)
        self.first = self.venue.first_block
        self._until = int(at.block)
        self._until_id = str(at.block_id)
        self._engine = engine
        self._storage = storage
        self._network = network
        self._part_blocks = part_blocks
        self._on_block: Callable[[int, int], object] = lambda _number, _until: None
        self._blocks = self._uploads = self._bytes = 0

    def run(
        self, source: BlockSource, on_block: Callable[[int, int], object] = lambda _number, _until: None
    ) -> Published:
        """Publish up to the block that was the database's newest one.

        `on_block` gets each block's number and the last one. Raises StorageError, SourceError and StoreError.
        """
        self._on_block = on_block
        with tempfile.TemporaryDirectory(prefix="peakedex-evidence-") as name:
            folder = Path(name)
            manifest = self._published(folder)
            blocks: Iterator[tuple[Block, Receipts | None]] | None = None
            while manifest is None or manifest.last < self._until:
                blocks = blocks or source.blocks(self._cursor(manifest))
                manifest = self._step(folder, manifest, blocks)
        return Published(manifest, self._blocks, self._uploads, self._bytes)

    def _published(self, folder: Path) -> EvidenceManifest | None:
        """The manifest in the storage; None where nothing was published yet."""
        names = self._storage.names()
        if MANIFEST not in names:
            if MANIFEST + PART not in names or not self._is_manifest(folder, MANIFEST + PART):
                return None
            self._storage.rename(MANIFEST + PART, MANIFEST)  # killed while it was replaced
        manifest = self._read_manifest(folder, MANIFEST)
        if manifest.venue_hash != self.venue.hash:
            raise StorageError(
                f"the evidence there is of another venue ({manifest.venue_hash[:16]}…): choose another --to"
            )
        if manifest.last > self._until:
            raise StorageError(
                f"the evidence there reaches block {manifest.last}, the database only block {self._until}: "
                "let the indexer catch up first"
            )
        return manifest

    def _is_manifest(self, folder: Path, name: str) -> bool:
        try:
            self._read_manifest(folder, name)
        except SourceError:
            return False
        return True

    def _read_manifest(self, folder: Path, name: str) -> EvidenceManifest:
        path = folder / MANIFEST
        self._storage.get(name, path)
        return parse_manifest(path.read_bytes()[:MAX_MANIFEST_BYTES], name)

    def _cursor(self, manifest: EvidenceManifest | None) -> Cursor:
        if manifest is None:
            return Cursor(self.first - 1)
        return Cursor(manifest.last, manifest.parts[-1].last_id)

    # -- a step --------------------------------------------------------------------------------------

    def _step(
        self,
        folder: Path,
        before: EvidenceManifest | None,
        blocks: Iterator[tuple[Block, Receipts | None]],
    ) -> EvidenceManifest:
        """Publish blocks up to the end of a part, or the newest one."""
        parts = [] if before is None else list(before.parts)
        first = self._cursor(before).number + 1
        unfinished = parts.pop() if parts and first % self._part_blocks else None
        first = first if unfinished is None else unfinished.first
        with PartWriter(folder, first, self.venue.filter) as writer:
            if unfinished is not None:
                self._take_over(writer, folder, unfinished)
            last = self._read_blocks(writer, blocks)
            with self._engine.connect() as connection:
                self._check_chain(connection, last)
                writer.add_texts("receipts", _receipts(connection, first, last.number))
                writer.add_texts(
                    "journal", (block.lines for block in read_journal(connection, first, last.number))
                )
                state = _state_at(connection, last)
            part, files = writer.finish()
        return self._upload(folder, before, [*parts, part], files, state)

    def _take_over(self, writer: PartWriter, folder: Path, part: Part) -> None:
        """Continue the unfinished part in the storage. Raises StorageError where it is damaged."""
        for file in (part.headers, part.blocks):
            path = folder / file.name
            self._storage.get(file.name, path)
            if (path.stat().st_size, sha256_of(path)) != (file.size, file.sha256):
                raise StorageError(
                    f"{file.name} is damaged: delete {MANIFEST} there, and run again to publish from the "
                    "beginning"
                )
        writer.continue_from(folder, part)
        for file in part.files:
            (folder / file.name).unlink(missing_ok=True)

    def _read_blocks(self, writer: PartWriter, blocks: Iterator[tuple[Block, Receipts | None]]) -> LastBlock:
        """Write blocks up to the end of the part, or the newest one; returns the last."""
        for block, _ in blocks:
            writer.add(block)
            self._blocks += 1
            self._on_block(block.number, self._until)
            if block.number >= self._until or (block.number + 1) % self._part_blocks == 0:
                break
        last = writer.last
        if last is None or (last.number < self._until and (last.number + 1) % self._part_blocks):
            at = "its beginning" if last is None else f"block {last.number}"
            raise SourceError(
                f"the source of blocks ends at {at}, the database at block {self._until}: nothing of this "
                "part is published. Give a longer --archive, or nodes with --node"
            )
        return last

    def _check_chain(self, connection: Connection, last: LastBlock) -> None:
        """Raise StoreError where the database knows the block by another id."""
        b = schema.blocks.c
        known = connection.scalar(select(b.block_id).where(b.number == last.number))
        if last.number == self._until:
            known = self._until_id
        if known not in (None, last.block_id):
            raise StoreError(
                f"block {last.number} is {last.block_id} in the source of blocks, but {known} in the "
                "database: they are of different chains"
            )

    def _upload(
        self,
        folder: Path,
        before: EvidenceManifest | None,
        parts: list[Part],
        files: dict[str, Path],
        state: _State,
    ) -> EvidenceManifest:
        """Upload the files of a step, then the manifest that names them; returns it."""
        if before is None:
            files[VENUE] = _written(folder / "venue", self._venue_text.encode("utf-8"))
            venue = _file(VENUE, files[VENUE])
        else:
            venue = before.venue
        name = state_name(parts[-1].last)
        packed = zstandard.ZstdCompressor(level=9, write_checksum=True).compress(state.text.encode("utf-8"))
        files[name] = _written(folder / "state", packed)
        manifest = EvidenceManifest(
            format=FORMAT,
            program=version("peakedex"),
            network=self._network,
            venue_hash=self.venue.hash,
            time=f"{iso_time(state.timestamp)}Z",
            journal_hash=state.journal_hash,
            state_hash=sha256(state.text.encode("utf-8")).hexdigest(),
            venue=venue,
            state=_file(name, files[name]),
            parts=parts,
        )
        for each, path in files.items():
            self._send(path, each)
            path.unlink()
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        self._send(_written(folder / "manifest", text), MANIFEST)
        self._delete_unnamed(manifest, before)
        return manifest

    def _send(self, path: Path, name: str) -> None:
        """Upload under a temporary name, then rename."""
        upload(self._storage, path, name + PART)
        self._storage.replace(name + PART, name)
        self._uploads += 1
        self._bytes += path.stat().st_size

    def _delete_unnamed(self, manifest: EvidenceManifest, before: EvidenceManifest | None) -> None:
        """Delete older unfinished parts and states. Those of the manifest before stay for who is fetching."""
        kept = {file.name for file in manifest.files} | {MANIFEST}
        if before is not None:
            kept |= {file.name for file in before.files}
        for name in self._storage.names():
            if name not in kept and OURS.fullmatch(name):
                with suppress(StorageError):  # the next run tries again
                    self._storage.delete(name)


class _State(NamedTuple):
    """The state after the last block of a step."""

    text: str
    journal_hash: str
    timestamp: int


def _state_at(connection: Connection, last: LastBlock) -> _State:
    """The state after a block, whose header the database knows only if the block is active, or the newest."""
    lines = read_state_text(connection, last.number).split("\n")
    lines[_BLOCK_LINE] = f"block {last.number} {last.block_id} {iso_time(last.timestamp)}"
    return _State("\n".join(lines), hash_before(connection, last.number + 1), last.timestamp)


def _receipts(connection: Connection, first: int, last: int) -> Iterator[str]:
    """The receipts that counted, a line for each block that has any."""
    c = schema.receipts.c
    query = select(c.text).where(c.block.between(first, last)).order_by(c.block)
    for row in connection.execute(query.execution_options(yield_per=200)):
        yield f"{row.text}\n"


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _file(name: str, path: Path) -> EvidenceFile:
    return EvidenceFile(name, path.stat().st_size, sha256_of(path))
