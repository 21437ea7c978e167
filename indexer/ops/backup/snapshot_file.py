"""Snapshot files: a tar of zstd-compressed JSON lines, with a manifest at the end.

    accounts/000001.jsonl.zst   one row a line, by primary key, each an array of the table's columns
    …
    manifest.json               block, hashes, and each table's rows, bytes and SHA-256

`zstdcat trades/*.zst | sha256sum` of the unpacked tar is the manifest's sha256 of `trades`, for both kinds of
database. The reader does not trust a file: it checks names, sizes and types before use, and never unpacks to
a path from the file.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal, NamedTuple

import msgspec
import zstandard
from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, SmallInteger, String, Table

from settlement.core.journal.lines import iso_time
from settlement.store.database import newest_revision
from settlement.store.write.snapshot import (
    PAYOUT_TABLES,
    STATE_TABLES,
    SnapshotError,
    SnapshotHead,
    read_head,
    read_rows,
)

FORMAT: Final = "peakedex-snapshot-1"
MANIFEST: Final = "manifest.json"
MEMBER_BYTES: Final = 4 << 20
"""Maximum rows as text in one member of the tar; a longer row has its own member."""
_MAX_MEMBER_BYTES: Final = 64 << 20
"""The largest member that is read: far more than the journal of the fullest block."""
_MANIFEST_BYTES: Final = 1 << 20
_LEVEL: Final = 3
_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class TableFigures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number of rows of a table, and size and SHA-256 of their text."""

    rows: Count
    bytes: Count
    sha256: Digest


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Manifest of a snapshot. Every replica writes the same one at the same block."""

    format: Literal["peakedex-snapshot-1"]
    schema: str
    network: Annotated[str, msgspec.Meta(max_length=100)]
    venue_hash: Digest
    block: Count
    block_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")] | None
    time: str | None
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=2**32)] | None
    journal_hash: Digest
    state_hash: Digest
    tables: dict[str, TableFigures]

    @property
    def head(self) -> SnapshotHead:
        return SnapshotHead(
            self.venue_hash, self.block, self.block_id, self.timestamp, self.journal_hash, self.state_hash
        )

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def bytes(self) -> int:
        """Size of all rows as text."""
        return sum(table.bytes for table in self.tables.values())

    @property
    def has_payouts(self) -> bool:
        return PAYOUT_TABLES[0].name in self.tables


def tables_of(*, payouts: bool) -> dict[str, Table]:
    """The tables in a file, by name, in its order."""
    return {table.name: table for table in (*STATE_TABLES, *(PAYOUT_TABLES if payouts else ()))}


# -- writing ----------------------------------------------------------------------------------------


def write_snapshot(
    connection: Connection,
    out: BinaryIO,
    *,
    network: str,
    payouts: bool = False,
    on_rows: Callable[[int], object] = lambda _: None,
    member_bytes: int = MEMBER_BYTES,
) -> Manifest:
    """Write the database as the connection's transaction sees it to a stream, and return the manifest.

    `payouts` includes the payout log. `on_rows` is called with the number of further rows. It takes the
    memory of the state, as an indexer does, and some MB. `member_bytes` limits the rows in a member of the
    tar. Raises StoreError, and InvariantError for inconsistent balances.
    """
    head = read_head(connection)
    write = _TarWriter(out, head.timestamp or 0)
    figures = {
        name: _write_table(connection, write, table, on_rows, member_bytes)
        for name, table in tables_of(payouts=payouts).items()
    }
    manifest = Manifest(
        format=FORMAT,
        schema=newest_revision(),
        network=network,
        time=None if head.timestamp is None else iso_time(head.timestamp),
        tables=figures,
        **head._asdict(),
    )
    write.member(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    out.write(_END)
    return manifest


class _TarWriter:
    """Writes members of a tar file in ustar format."""

    def __init__(self, out: BinaryIO, timestamp: int) -> None:
        self._out = out
        self._timestamp = timestamp

    def member(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = len(content), self._timestamp
        self._out.write(info.tobuf(tarfile.USTAR_FORMAT))
        self._out.write(content)
        self._out.write(bytes(-len(content) % _BLOCK))


def _write_table(
    connection: Connection,
    write: _TarWriter,
    table: Table,
    on_rows: Callable[[int], object],
    member_bytes: int,
) -> TableFigures:
    encode, compress = msgspec.json.Encoder().encode_lines, zstandard.ZstdCompressor(level=_LEVEL).compress
    digest = sha256()
    count = size = number = 0
    waiting = bytearray()

    def put(end: int) -> None:
        nonlocal number, size
        chunk = bytes(waiting[:end])
        del waiting[:end]
        digest.update(chunk)
        size += len(chunk)
        number += 1
        write.member(_member_name(table.name, number), compress(chunk))

    for rows in read_rows(connection, table):
        waiting += encode(rows)
        count += len(rows)
        on_rows(len(rows))
        while len(waiting) > member_bytes:
            put(waiting.rfind(b"\n", 0, member_bytes) + 1 or waiting.find(b"\n") + 1)
    if waiting:
        put(len(waiting))
    return TableFigures(count, size, digest.hexdigest())


def _member_name(table: str, number: int) -> str:
    return f"{table}/{number:06}.jsonl.zst"


# -- reading ----------------------------------------------------------------------------------------


class _Member(NamedTuple):
    name: str
    start: int
    size: int


class SnapshotFile:
    """An untrusted snapshot file, with its manifest."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises SnapshotError if it is not a snapshot, truncated, or of another schema version."""
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> Manifest:
        last = None
        for member in self._members():
            last = member
        if last is None or last.name != MANIFEST or last.size > _MANIFEST_BYTES:
            raise SnapshotError("it does not end with a manifest: it is not a snapshot, or truncated")
        try:
            manifest = msgspec.json.decode(self._content(last), type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SnapshotError(f"its manifest cannot be read: {error}") from None
        if manifest.schema != newest_revision():
            raise SnapshotError(
                f"it contains tables of schema revision {manifest.schema[:20]!r}, this program has "
                f"{newest_revision()!r}: restore it with the version that created it, then upgrade"
            )
        if list(manifest.tables) != list(tables_of(payouts=manifest.has_payouts)):
            raise SnapshotError("the tables of its manifest are not those of a snapshot")
        return manifest

    def rows(self) -> Iterator[tuple[Table, Iterator[list[tuple[Any, ...]]]]]:
        """Each table with its rows in batches; consume all of one before the next.

        Raises SnapshotError if anything differs from the manifest.
        """
        members = self._members()
        for name, table in tables_of(payouts=self.manifest.has_payouts).items():
            yield table, self._rows_of(members, table, self.manifest.tables[name])
        if next(members).name != MANIFEST:
            raise SnapshotError("it contains more than its manifest lists")

    def _rows_of(
        self, members: Iterator[_Member], table: Table, expected: TableFigures
    ) -> Iterator[list[tuple[Any, ...]]]:
        decode = _row_decoder(table).decode_lines
        digest = sha256()
        rows = size = number = 0
        while size < expected.bytes:
            member = next(members)
            number += 1
            if member.name != _member_name(table.name, number):
                raise SnapshotError(f"{_member_name(table.name, number)} is missing")
            text = _decompress(self._content(member), member.name)
            digest.update(text)
            size += len(text)
            try:
                part = decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise SnapshotError(f"{member.name}: {error}") from None
            rows += len(part)
            yield part
        if TableFigures(rows, size, digest.hexdigest()) != expected:
            raise SnapshotError(f"the rows of {table.name} do not match its manifest: it is damaged")

    def _members(self) -> Iterator[_Member]:
        """The members of the tar, in order."""
        at = 0
        while True:
            self._file.seek(at)
            header = self._file.read(_BLOCK)
            if header == bytes(_BLOCK):
                return
            try:
                info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
            except (tarfile.TarError, UnicodeDecodeError) as error:
                raise SnapshotError("it is not a snapshot, damaged, or truncated") from error
            start, size = at + _BLOCK, info.size
            if info.type != tarfile.REGTYPE or not 0 < size <= _MAX_MEMBER_BYTES:
                raise SnapshotError(f"its member {info.name[:80]!r} does not belong in a snapshot")
            at = start + size + -size % _BLOCK
            if at > self._size:
                raise SnapshotError("it is truncated")
            yield _Member(info.name, start, size)

    def _content(self, member: _Member) -> bytes:
        self._file.seek(member.start)
        return self._file.read(member.size)


def _decompress(packed: bytes, name: str) -> bytes:
    """The decompressed content, at most _MAX_MEMBER_BYTES, whose size the frame must declare."""
    try:
        if not 0 < zstandard.frame_content_size(packed) <= _MAX_MEMBER_BYTES:
            raise SnapshotError(f"the size of {name} is invalid")
        return zstandard.ZstdDecompressor(max_window_size=_MAX_MEMBER_BYTES).decompress(
            packed, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise SnapshotError(f"{name}: {error}") from None


def _row_decoder(table: Table) -> msgspec.json.Decoder[tuple[Any, ...]]:
    """Decoder of rows that rejects values out of the range of their columns."""
    return msgspec.json.Decoder(tuple[tuple(_kind(column) for column in table.columns)])  # type: ignore[misc]


_BITS: Final[Mapping[type, int]] = {BigInteger: 64, SmallInteger: 16, Integer: 32}


def _kind(column: Column[Any]) -> Any:
    kind: Any
    if isinstance(column.type, Boolean):
        kind = bool
    elif isinstance(column.type, String):
        kind = Annotated[str, msgspec.Meta(max_length=column.type.length)]
    else:
        bits = next(bits for number, bits in _BITS.items() if isinstance(column.type, number))
        kind = Annotated[int, msgspec.Meta(ge=-(2 ** (bits - 1)), le=2 ** (bits - 1) - 1)]
    return kind | None if column.nullable else kind


@contextmanager
def open_snapshot(path: Path) -> Iterator[SnapshotFile]:
    """Open a snapshot file. Raises SnapshotError, with the file's name."""
    try:
        with path.open("rb") as file:
            yield SnapshotFile(file)
    except SnapshotError as error:
        raise SnapshotError(f"{path.name}: {error}") from error
