"""Partitions of the history on PostgreSQL: made by the writer as it needs them, never taken away by us.

The tables of PARTITIONED are written at their end alone and hold most of the bytes. Each is cut by its key
into ranges, so that old ones can be moved to other disks one by one. A partition is named by the key that it
begins with (`transfers_16777216`). It is made in the transaction whose rows need it first: as a table of its
own that is then attached, since that shuts out no reader, not even one with a long snapshot or on a standby,
as `PARTITION OF` would.

How wide they are is told by the session (`WIDTHS`), and may change: what is there stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, Table, select

from settlement.store import schema
from settlement.store.postgresql import NAME

BY_NUMBER: Final = (schema.trades, schema.transfers)
"""By numbers without gaps, from 1."""
BY_BLOCK: Final = (schema.journal, schema.balance_changes)
"""By block: the same partitions for all of them, wherever there are blocks of ours."""
PARTITIONED: Final = (*BY_NUMBER, *BY_BLOCK)
_MADE_FOR: Final = {
    schema.trades.name: (schema.trades,),
    schema.transfers.name: (schema.transfers,),
    **{table.name: BY_BLOCK for table in (schema.blocks, *BY_BLOCK)},
}
"""By table whose rows are written, the tables that need partitions for them."""
WIDTHS: Final = {"peakedex.partition_rows": 1 << 24, "peakedex.partition_blocks": 1 << 21}
"""Settings of a session, and what holds without: some GB of rows, or 73 days of blocks."""

_RANGES: Final = """SELECT parent.relname, pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid
WHERE parent.relkind = 'p' AND parent.relnamespace = current_schema()::regnamespace
AND NOT inhdetachpending"""
_BOUNDS: Final = re.compile(r"FOR VALUES FROM \('?(\d+)'?\) TO \('?(\d+)'?\)")
_NEVER: Final = 1 << 63


class Range(NamedTuple):
    """Keys from `start` up to, but not with, `end`."""

    start: int
    end: int

    def holds(self, key: int) -> bool:
        return self.start <= key < self.end


class PartitionError(RuntimeError):
    """Partitions that cannot be used, with the reason and the cure."""


class Room:
    """Which partitions there are, known to the one writer, and more of them where rows need them.

    On SQLite there are none, and nothing is done. After a transaction that failed it must be thrown away.
    """

    def __init__(self, connection: Connection) -> None:
        self._ranges = read_ranges(connection)
        self._widths = _widths(connection) if self._ranges else {}

    def make(self, connection: Connection, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Before these rows are written: by table, in the order of their keys, which come first in them."""
        if not self._ranges:
            return
        for name, tables in _MADE_FOR.items():
            added, known = rows.get(name), self._ranges[tables[0].name]
            if added and not (known and known[-1].start <= added[0][0] and added[-1][0] < known[-1].end):
                self._make_for(connection, tables, added)

    def _make_for(
        self, connection: Connection, tables: Iterable[Table], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        known = Range(0, 0)
        for key, *_ in rows:
            if not known.holds(key):
                for table in tables:
                    known = self._range_with(connection, table.name, key)

    def _range_with(self, connection: Connection, name: str, key: int) -> Range:
        """The partition for a key, which is made if it is missing."""
        ranges = self._ranges[name]
        for known in ranges:
            if known.holds(key):
                return known
        new = fit(ranges, key, self._widths[name])
        _create(connection, name, new)
        ranges.append(new)
        ranges.sort()
        return new


def fit(ranges: Sequence[Range], key: int, width: int) -> Range:
    """The range for a key that none of these holds: from one multiple of `width` to the next, as far as they
    leave room."""
    start = key - key % width
    return Range(
        max([start, *(known.end for known in ranges if known.end <= key)]),
        min([start + width, *(known.start for known in ranges if known.start > key)]),
    )


def _create(connection: Connection, table: str, keys: Range) -> None:
    name = f"{table}_{keys.start}"
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table})")
    connection.exec_driver_sql(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({keys.start}) TO ({keys.end})"
    )


def read_ranges(connection: Connection) -> dict[str, list[Range]]:
    """By table, the partitions that there are, in order. Empty on SQLite."""
    if connection.dialect.name != NAME:
        return {}
    ranges: dict[str, list[Range]] = {table.name: [] for table in PARTITIONED}
    for name, bounds in connection.exec_driver_sql(_RANGES):
        found = _BOUNDS.fullmatch(bounds)
        if name in ranges and found is None:
            raise PartitionError(f"a partition of {name} is none of ours, {bounds}: detach it")
        if name in ranges and found is not None:
            ranges[name].append(Range(int(found[1]), int(found[2])))
    return {name: sorted(found) for name, found in ranges.items()}


def _widths(connection: Connection) -> dict[str, int]:
    rows, blocks = (_width(connection, setting) for setting in WIDTHS)
    return {**{table.name: rows for table in BY_NUMBER}, **{table.name: blocks for table in BY_BLOCK}}


def _width(connection: Connection, setting: str) -> int:
    told = connection.exec_driver_sql(f"SELECT current_setting('{setting}', true)").scalar()
    if not told:
        return WIDTHS[setting]
    if not re.fullmatch(r"[1-9]\d{0,17}", told):
        raise PartitionError(f"the database's setting {setting} is {told!r}: give it a whole number above 0")
    return int(told)


def check(connection: Connection) -> None:
    """Raise PartitionError where history was detached or dropped, or where no partition could be made.

    It must be the first in its transaction.
    """
    if connection.dialect.name != NAME:
        return
    connection.exec_driver_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    )  # the indexer goes on meanwhile
    ranges = read_ranges(connection)
    _widths(connection)
    gaps = [
        (name, gap.start)
        for name in ranges
        for gap in _gaps(ranges[name])
        if _is_missed(connection, name, gap)
    ]
    if gaps:
        raise PartitionError(
            "history is missing, {} has no partition from {} on: attach it again, or restore a backup "
            "into a new database".format(*gaps[0])
        )


def _is_missed(connection: Connection, name: str, gap: Range) -> bool:
    """Whether there were rows in a range for which there is no partition."""
    if name == schema.trades.name:
        return max(gap.start, 1) <= (connection.scalar(select(schema.cursor.c.last_trade)) or 0)
    if name == schema.transfers.name:  # the last number is told by nothing but its rows
        return gap.end < _NEVER or (gap.start == 0 and _any(connection, select(schema.balances)))
    number = schema.blocks.c.number
    return _any(connection, select(number).where(number.between(gap.start, gap.end - 1)))


def _any(connection: Connection, rows: Select[Any]) -> bool:
    return bool(connection.scalar(select(rows.exists())))


def _gaps(ranges: Sequence[Range]) -> list[Range]:
    """What no partition covers, the last of them without an end."""
    starts, ends = [known.start for known in ranges], [known.end for known in ranges]
    between = map(Range, [0, *ends], [*starts, _NEVER])
    return [gap for gap in between if gap.start < gap.end]
