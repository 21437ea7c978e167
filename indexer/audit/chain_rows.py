"""Compares rows that come from the chain but do not follow from the journal: receipts, escrow operations.

They are what the database holds of receipts that counted and of operations on escrow accounts (protocol,
section 11). Rows are read in pages, in step with the blocks that are derived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, Engine, Select, bindparam, func, select, tuple_

from indexer.audit.compare import Mismatch, MismatchFound
from settlement.store import schema
from settlement.store.write.projector import Batch
from settlement.store.write.rebuild import HistoryError

_PAGE_ROWS: Final = 1_000
_SHOWN: Final = 200
"""Characters of a value in a message."""
_r, _e = schema.receipts.c, schema.escrow_operations.c
_AFTER: Final = tuple_(bindparam("block"), bindparam("position"))
_UP_TO: Final[BindParameter[int]] = bindparam("last")
_RECEIPTS: Final = (
    select(_r.block, _r.text).where(_r.block > bindparam("block"), _r.block <= _UP_TO).order_by(_r.block)
)
_OPERATIONS: Final = {
    acting: select(schema.escrow_operations)
    .where(_e.acting == acting, tuple_(_e.block, _e.position) > _AFTER, _e.block <= _UP_TO)
    .order_by(_e.block, _e.position)
    for acting in (True, False)
}
_CAUSE: Final = "the journal is identical, but this row is not what the chain says"


def check_no_later_rows(connection: Connection) -> None:
    """Raise HistoryError for a row of a block that the database has not reached."""
    reached = select(schema.cursor.c.block).scalar_subquery()
    for column in (_r.block, _e.block):
        later = connection.scalar(select(func.max(column)).where(column > reached))
        if later is not None:
            name = column.table.name
            raise HistoryError(f"a row of {name} is of block {later}, after the newest one of the database")


class _Row(NamedTuple):
    """A row, with what is compared of it."""

    block: int
    position: int
    values: tuple[Any, ...]


class ChainRowsComparator:
    """Compares the rows of blocks `first` to `last` with what the follow loop hands over."""

    def __init__(self, engine: Engine, first: int, last: int) -> None:
        self._tables = [
            _Table("receipts", engine, _RECEIPTS, first, last),
            *(_Table("escrow_operations", engine, query, first, last) for query in _OPERATIONS.values()),
        ]

    def compare(self, batch: Batch) -> None:
        """Compare the rows up to the end of a batch. Raises MismatchFound."""
        operations = [tuple(row) for row in batch.escrow_operations]
        receipts = [_Row(block, 0, (block, text)) for block, text in batch.receipts]
        acting, named = (
            [_Row(row[1], row[2], row) for row in operations if bool(row[0]) is kind]
            for kind in (True, False)
        )
        for table, rows in zip(self._tables, (receipts, acting, named), strict=True):
            table.compare(rows, batch.end.number)


class _Table:
    """The rows of one table, or of half of it, in order of their blocks."""

    def __init__(self, name: str, engine: Engine, query: Select[Any], first: int, last: int) -> None:
        self._name = name
        self._engine = engine
        self._rows = self._pages(query.limit(_PAGE_ROWS), first, last)
        self._next = next(self._rows, None)

    def compare(self, derived: Sequence[_Row], end: int) -> None:
        for ours, theirs in zip_longest(derived, self._up_to(end)):
            if ours != theirs:
                row = ours or theirs
                assert row is not None
                mine, other = self._shown(ours), self._shown(theirs)
                raise MismatchFound(Mismatch("rows", row.block, None, mine, other, _CAUSE))

    def _up_to(self, end: int) -> Iterator[_Row]:
        while (row := self._next) is not None and row.block <= end:
            self._next = next(self._rows, None)
            yield row

    def _pages(self, query: Select[Any], first: int, last: int) -> Iterator[_Row]:
        """Pages in transactions of their own: an indexer may be writing."""
        at = {"block": first - 1, "position": 1 << 31}
        while True:
            with self._engine.connect() as connection:
                found = [self._row(tuple(row)) for row in connection.execute(query, {**at, "last": last})]
            yield from found
            if len(found) < _PAGE_ROWS:
                return
            at = {"block": found[-1].block, "position": found[-1].position}

    def _row(self, values: tuple[Any, ...]) -> _Row:
        if self._name == "receipts":
            return _Row(values[0], 0, values)
        return _Row(values[1], values[2], values)

    def _shown(self, row: _Row | None) -> str | None:
        if row is None:
            return None
        values = ", ".join(f"{value!a:.{_SHOWN}}" for value in row.values)
        return f"{self._name}: {values}"
