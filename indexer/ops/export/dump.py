"""An export, from the database to a whole file: as of the end of one block, in one read transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from sqlalchemy import Connection

from indexer.ops.export.tables import Asked, Column, Row, Table
from indexer.ops.export.text_formats import CsvWriter, JsonWriter
from settlement.core.parsing.names import encode
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange
from settlement.store.read.position import read_active_block, read_first_block, read_position
from settlement.store.read.venue import find_account, read_pairs

FORMATS: Final = ("csv", "json", "parquet")
VERSION: Final = 1
OnRows = Callable[[Sequence[Row]], None]


class ExportError(ValueError):
    """What was asked cannot be exported: which option, and why."""


class Writer(Protocol):
    """Writes one file: all rows of `write`, in order, and at the end their count."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self, count: int) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What was asked for; None means all. `pair` as in PEK/SWAP.HIVE."""

    first: int | None = None
    last: int | None = None
    user: str | None = None
    pair: str | None = None


@dataclass(frozen=True)
class Dump:
    """A snapshot of the database, opened at a block: any number of tables can be written out of it."""

    connection: Connection
    asked: Asked
    about: Mapping[str, object]

    @classmethod
    def open(cls, connection: Connection, wanted: Wanted) -> Dump:
        """Raises ExportError for what the database does not have."""
        at = read_position(connection)
        if at is None:
            raise ExportError("the database holds no venue yet: start `peakedex follow` first")
        start = read_first_block(connection)
        last = at.block if wanted.last is None else wanted.last
        if last > at.block:
            raise ExportError(f"--to {last}: the database stands at block {at.block}, ask for an earlier one")
        if last < start - 1:
            raise ExportError(f"--to {last} is before this venue: {start} is its first block")
        first = start if wanted.first is None else max(wanted.first, start)
        if wanted.first is not None and wanted.first > last:
            raise ExportError(f"--from {wanted.first} is after block {last}, the last one of this export")
        past = read_active_block(connection, last)
        account_id = None
        if wanted.user is not None:
            account_id = find_account(connection, encode(wanted.user)) or 0
        asked = Asked(
            BlockRange(first, last),
            None if last == at.block else last,
            None if wanted.user is None else encode(wanted.user),
            account_id,
            None if wanted.pair is None else _pair(connection, wanted.pair),
        )
        about = {
            "peakedex_export": VERSION,
            "venue_hash": at.venue_hash,
            "block": last,
            "journal_hash": at.venue_hash if past is None else past.journal_hash,
            "from": first,
            "user": wanted.user,
            "pair": wanted.pair,
        }
        return cls(connection, asked, about)

    def describe(self, table: Table) -> dict[str, object]:
        """What an export of a table is of: nothing in it changes with the time or place of its making."""
        columns = [{"name": column.name, "type": column.type.value} for column in table.columns]
        about = {**self.about, "table": table.name, "columns": columns}
        return about if table.is_history else {**about, "from": None}

    def write(self, table: Table, form: str, out: BinaryIO, on_rows: OnRows = lambda _: None) -> int:
        """Write a table; how many rows there were. Memory does not grow with them."""
        writer = _writer(form)(out, table.columns, self.describe(table))
        count = 0
        rows = table.rows(self.connection, self.asked)
        while part := list(islice(rows, FETCH_ROWS)):
            writer.write(part)
            count += len(part)
            on_rows(part)
        writer.close(count)
        return count

    def save(self, table: Table, form: str, path: Path, on_rows: OnRows = lambda _: None) -> dict[str, Any]:
        """Write a table into a file that takes its place only when it is whole; what it is, with its hash."""
        with put_in_place(path) as out:
            count = self.write(table, form, out, on_rows)
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return {"file": path.name, "rows": count, "sha256": digest}


def _writer(form: str) -> Callable[[BinaryIO, Sequence[Column], Mapping[str, object]], Writer]:
    if form == "csv":
        return CsvWriter
    if form == "json":
        return JsonWriter
    try:
        from indexer.ops.export.parquet import ParquetWriter  # noqa: PLC0415 (an extra, which not everyone has)
    except ImportError as error:
        raise ExportError(
            "--format parquet needs pyarrow: pip install 'peakedex[parquet]', or take csv or json"
        ) from error
    return ParquetWriter


def _pair(connection: Connection, name: str) -> int:
    pairs = {f"{pair.base}/{pair.quote}": number for number, pair in read_pairs(connection).items()}
    if name not in pairs:
        raise ExportError(f"--pair {name}: there is none, but {', '.join(pairs)}")
    return pairs[name]


@contextmanager
def put_in_place(path: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all: written beside its place, then renamed. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
