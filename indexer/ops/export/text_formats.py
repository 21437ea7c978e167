"""CSV and JSON: one row a line, the same bytes for the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final

from indexer.ops.export.tables import Column, Row, Type
from settlement.core.journal.text import iso_time

Show = Callable[[Any], Any]


def _time(seconds: int) -> str:
    return f"{iso_time(seconds)}Z"


def _csv_text(text: str) -> str:
    """No spreadsheet takes it for a formula: in all strangers' text only letters, digits and `._~-` are not
    percent-encoded, so that a `-` at the beginning is left. It is encoded too, and decoded the same again."""
    return f"%2D{text[1:]}" if text.startswith("-") else text


def _same(value: Any) -> Any:
    return value


_IN_CSV: Final[Mapping[Type, Show]] = {Type.TIME: _time, Type.TEXT: _csv_text}
_IN_JSON: Final[Mapping[Type, Show]] = {Type.TIME: _time}


def _shown(columns: Sequence[Column], how: Mapping[Type, Show], row: Row) -> list[Any]:
    return [
        None if value is None else how.get(column.type, _same)(value)
        for column, value in zip(columns, row, strict=True)
    ]


class CsvWriter:
    """A line of names, then the rows; null is nothing between two commas. Lines end with LF."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column], about: Mapping[str, object]) -> None:
        self._columns = columns
        self._out = out
        self._write([[column.name for column in columns]])

    def write(self, rows: Sequence[Row]) -> None:
        self._write([_shown(self._columns, _IN_CSV, row) for row in rows])

    def _write(self, lines: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._out.write(text.getvalue().encode())

    def close(self, count: int) -> None:
        pass


class JsonWriter:
    """One object: what the export is of, then `rows`, an object a line, and at the end how many they were, so
    that a file which was cut off shows it."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column], about: Mapping[str, object]) -> None:
        self._out = out
        self._columns = columns
        self._names = [column.name for column in columns]
        self._between = b"\n"
        self._out.write(_json(about)[:-1] + b',"rows":[')

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        lines = [
            _json(dict(zip(self._names, _shown(self._columns, _IN_JSON, row), strict=True))) for row in rows
        ]
        self._out.write(self._between + b",\n".join(lines))
        self._between = b",\n"

    def close(self, count: int) -> None:
        self._out.write(b'\n],"count":%d}\n' % count)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
