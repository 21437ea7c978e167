"""Export of tables as of the end of one block, in one read transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from sqlalchemy import Connection

from indexer.ops.export.tables import Column, Row, Selection, Table
from indexer.ops.export.text_formats import CsvWriter, JsonWriter
from indexer.ops.files import atomic_write
from settlement.core.parsing.names import encode
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange
from settlement.store.read.position import (
    read_active_block,
    read_earliest_block,
    read_first_block,
    read_position,
)
from settlement.store.read.venue import find_account, read_pairs

FORMATS: Final = ("csv", "json", "parquet")
VERSION: Final = 1
OnRows = Callable[[Sequence[Row]], None]


class ExportError(ValueError):
    """An export that is not possible. The text names the option and the reason."""


class Writer(Protocol):
    """Writes rows to one file; `close` takes their number."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self, count: int) -> None: ...


@dataclass(frozen=True)
class Filter:
    """The rows to export; None means no restriction."""

    first: int | None = None  # block
    last: int | None = None  # block
    user: str | None = None  # account name
    pair: str | None = None  # such as PEK/SWAP.HIVE


@dataclass(frozen=True)
class Dump:
    """A read transaction at a block, from which any number of tables can be exported."""

    connection: Connection
    selection: Selection
    about: Mapping[str, object]

    @classmethod
    def open(cls, connection: Connection, filter: Filter) -> Dump:
        """Open the database at the filter's last block. Raises ExportError."""
        at = read_position(connection)
        if at is None:
            raise ExportError("the database contains no block yet: start `peakedex follow` first")
        start = read_first_block(connection)
        last = at.block if filter.last is None else filter.last
        if last > at.block:
            raise ExportError(f"--to {last} is not recorded yet: the newest block is {at.block}")
        if last < read_earliest_block(connection):
            raise ExportError(f"--to {last} is before the first recorded block {start}")
        first = start if filter.first is None else max(filter.first, start)
        if filter.first is not None and filter.first > last:
            raise ExportError(f"--from {filter.first} is after the last block {last} of this export")
        past = read_active_block(connection, last)
        account_id = None
        if filter.user is not None:
            account_id = find_account(connection, encode(filter.user)) or 0
        selection = Selection(
            BlockRange(first, last),
            None if last == at.block else last,
            None if filter.user is None else encode(filter.user),
            account_id,
            None if filter.pair is None else _pair(connection, filter.pair),
        )
        about = {
            "peakedex_export": VERSION,
            "venue_hash": at.venue_hash,
            "block": last,
            "journal_hash": at.venue_hash if past is None else past.journal_hash,
            "from": first,
            "user": filter.user,
            "pair": filter.pair,
        }
        return cls(connection, selection, about)

    def describe(self, table: Table) -> dict[str, object]:
        """Metadata of a table's export. It does not depend on when or where it is made."""
        columns = [{"name": column.name, "type": column.type.value} for column in table.columns]
        about = {**self.about, "table": table.name, "columns": columns}
        return about if table.is_history else {**about, "from": None}

    def write(self, table: Table, form: str, out: BinaryIO, on_rows: OnRows = lambda _: None) -> int:
        """Write a table in bounded memory; the number of rows."""
        writer = _writer(form)(out, table.columns, self.describe(table))
        count = 0
        rows = table.rows(self.connection, self.selection)
        while part := list(islice(rows, FETCH_ROWS)):
            writer.write(part)
            count += len(part)
            on_rows(part)
        writer.close(count)
        return count

    def save(self, table: Table, form: str, path: Path, on_rows: OnRows = lambda _: None) -> dict[str, Any]:
        """Write a table to a file atomically; its name, number of rows and SHA-256."""
        with atomic_write(path) as out:
            count = self.write(table, form, out, on_rows)
            out.seek(0)
            digest = file_digest(out, "sha256").hexdigest()
        return {"file": path.name, "rows": count, "sha256": digest}


def _writer(form: str) -> Callable[[BinaryIO, Sequence[Column], Mapping[str, object]], Writer]:
    if form == "csv":
        return CsvWriter
    if form == "json":
        return JsonWriter
    try:
        from indexer.ops.export.parquet import ParquetWriter  # noqa: PLC0415  optional dependency
    except ImportError as error:
        raise ExportError(
            "--format parquet needs pyarrow: pip install 'peakedex[parquet]', or use csv or json"
        ) from error
    return ParquetWriter


def _pair(connection: Connection, name: str) -> int:
    pairs = {f"{pair.base}/{pair.quote}": number for number, pair in read_pairs(connection).items()}
    if name not in pairs:
        raise ExportError(f"--pair {name}: unknown pair; the pairs are {', '.join(pairs)}")
    return pairs[name]
