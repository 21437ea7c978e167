"""A market recorded on SQLite and on PostgreSQL, and its exports."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from indexer.ops.export.tables import TABLES, Type
from settlement.store.write.projector import make_read_indexes
from tests.support import postgres
from tests.system.cli.command import OK, peakedex
from tests.system.store.chains import lively, replay

LAST: Final = 60
MIDDLE: Final = 29


@dataclass(frozen=True)
class Market:
    """The same chain in two databases, and in a third one up to the block MIDDLE."""

    folder: Path
    sqlite: str
    postgresql: str
    middle: str

    @classmethod
    def record(cls, folder: Path) -> Market:
        archive = lively(3, LAST).write(folder / "archive")
        urls = (f"sqlite:///{folder}/whole.db", postgres.new_database(), f"sqlite:///{folder}/middle.db")
        for url, until in zip(urls, (None, None, MIDDLE), strict=True):
            _, database = replay(archive, url, until=until)
            make_read_indexes(database)
            database.dispose()
        return cls(folder, *urls)

    def close(self) -> None:
        postgres.drop_database(self.postgresql)


def saved(url: str, path: Path, *words: object) -> bytes:
    """The file that the command writes, run in this process."""
    run = peakedex("export", *words, "--db", url, "--out", path)
    assert (run.code, run.err) == (OK, "")
    return path.read_bytes()


def rows_of(text: bytes) -> list[dict[str, Any]]:
    """The rows of a JSON export."""
    body = json.loads(text)
    assert body["count"] == len(body["rows"])
    return list(body["rows"])


def csv_rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode("ascii"), newline="")))


def query(sql: str) -> duckdb.DuckDBPyRelation:
    """What DuckDB answers to a SELECT."""
    relation = duckdb.sql(sql)
    assert relation is not None
    return relation


def names(table: str, *kinds: Type) -> list[str]:
    """The columns of a table with these types."""
    return [column.name for column in TABLES[table].columns if column.type in kinds]
