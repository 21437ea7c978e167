"""Parquet writer, with typed columns for DuckDB, Spark, ClickHouse and pandas.

Amounts are DECIMAL(27, 8): it fits any 63-bit amount of a token, which has at most 8 decimals, and the first
three sum it exactly (Spark's sum is DECIMAL(37, 8)). The scale is the same for all tokens, so that a column
has the same type in every file. Prices are DECIMAL(37, 18): 63 bits of ticks with at most 18 decimals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.ops.export.tables import Column, Row, Type

GROUP_ROWS: Final = 65_536
_TYPES: Final = {
    Type.INTEGER: pa.int64(),
    Type.TEXT: pa.string(),
    Type.TIME: pa.timestamp("us", tz="UTC"),
    Type.AMOUNT: pa.decimal128(27, 8),
    Type.PRICE: pa.decimal128(37, 18),
}
_MICROSECONDS: Final = 1_000_000


class ParquetWriter:
    """Writes row groups of 65,536 rows with zstd; the export's metadata is JSON under the key `peakedex`."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column], about: Mapping[str, object]) -> None:
        self._columns = columns
        self._schema = pa.schema(
            [(column.name, _TYPES[column.type]) for column in columns],
            metadata={"peakedex": json.dumps(about, separators=(",", ":"))},
        )
        self._writer = pq.ParquetWriter(out, self._schema, compression="zstd")
        self._buffered: list[Any] = []
        self._buffered_rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        arrays = [
            _array(column.type, values)
            for column, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        ]
        self._buffered.append(pa.record_batch(arrays, schema=self._schema))
        self._buffered_rows += len(rows)
        if self._buffered_rows >= GROUP_ROWS:
            self._flush()

    def close(self, count: int) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._buffered:
            table = pa.Table.from_batches(self._buffered, self._schema)
            self._writer.write_table(table, row_group_size=self._buffered_rows)
        self._buffered, self._buffered_rows = [], 0


def _array(kind: Type, values: Sequence[Any]) -> Any:
    if kind is Type.TIME:
        values = [None if value is None else value * _MICROSECONDS for value in values]
    if kind in (Type.AMOUNT, Type.PRICE):
        return pa.array(values, pa.string()).cast(_TYPES[kind])
    return pa.array(values, _TYPES[kind])
