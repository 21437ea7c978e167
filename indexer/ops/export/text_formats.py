"""CSV and JSON writers: one row a line, deterministic bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final

from indexer.ops.export.tables import Column, Row, Type
from settlement.core.journal.lines import iso_time

Show = Callable[[Any], Any]


def _time(seconds: int) -> str:
    return f"{iso_time(seconds)}Z"


def _csv_text(text: str) -> str:
    """Prevent spreadsheets from reading text as a formula: percent-encode a leading `-`.

    Untrusted text is percent-encoded except letters, digits and `._~-`, so no other formula can start.
    """
    return f"%2D{text[1:]}" if text.startswith("-") else text


def _same(value: Any) -> Any:
    return value


_IN_CSV: Final[Mapping[Type, Show]] = {Type.TIME: _time, Type.TEXT: _csv_text}
_IN_JSON: Final[Mapping[Type, Show]] = {Type.TIME: _time}


def _format_row(columns: Sequence[Column], how: Mapping[Type, Show], row: Row) -> list[Any]:
    return [
        None if value is None else how.get(column.type, _same)(value)
        for column, value in zip(columns, row, strict=True)
    ]


class CsvWriter:
    """CSV with a header line; null is an empty field, lines end with LF."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column], about: Mapping[str, object]) -> None:
        self._columns = columns
        self._out = out
        self._write([[column.name for column in columns]])

    def write(self, rows: Sequence[Row]) -> None:
        self._write([_format_row(self._columns, _IN_CSV, row) for row in rows])

    def _write(self, lines: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._out.write(text.getvalue().encode())

    def close(self, count: int) -> None:
        pass


class JsonWriter:
    """One JSON object: metadata, then `rows` with an object a line, then `count`, which a truncated file
    lacks."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column], about: Mapping[str, object]) -> None:
        self._out = out
        self._columns = columns
        self._names = [column.name for column in columns]
        self._separator = b"\n"
        self._out.write(_json(about)[:-1] + b',"rows":[')

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        lines = [
            _json(dict(zip(self._names, _format_row(self._columns, _IN_JSON, row), strict=True)))
            for row in rows
        ]
        self._out.write(self._separator + b",\n".join(lines))
        self._separator = b",\n"

    def close(self, count: int) -> None:
        self._out.write(b'\n],"count":%d}\n' % count)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
