"""Compares every projected row with the journal's projection, which is made anew in a temporary SQLite file.

The state and the journal of a database may be right while rows that no rule reads any more, such as old
trades and closed orders, were changed: readers would be shown what never happened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, select

from settlement.store import schema
from settlement.store.database import closing_writer
from settlement.store.write.loader import load_or_initialise, read_venue
from settlement.store.write.rebuild import PROJECTED, HistoryError, check

_ROWS: Final = 1_000
"""Rows that are fetched at a time."""
_SHOWN: Final = 200
"""Characters of a value in a message."""
_CURE: Final = "run `peakedex db rebuild`"


def check_rows(connection: Connection, on_blocks: Callable[[int], object] = lambda _: None) -> bool:
    """Check the stored journal, and compare all rows that follow from it.

    `on_blocks` gets the number of further blocks done. False, after `rebuild.check` alone, for a database
    whose history begins with a state text. Raises HistoryError with the table, the key and both values of the
    first difference.
    """
    history = connection.execute(select(schema.cursor.c.state_block)).one_or_none()
    if history is None or history.state_block is not None:
        check(connection, on_blocks)
        return False
    with (
        TemporaryDirectory(prefix="peakedex-check-") as folder,
        closing_writer(str(Path(folder) / "projected.db")) as projected,
    ):
        _, projector = load_or_initialise(projected, read_venue(connection))
        check(connection, on_blocks, projector)
        for table in PROJECTED:
            _compare(table, connection, projected)
    return True


def _compare(table: Table, connection: Connection, projected: Engine) -> None:
    """Raise HistoryError if the rows of a table differ from the projected ones."""
    key = [column.name for column in table.primary_key]
    with projected.connect() as ours:
        expected, stored = _rows(table, ours), _rows(table, connection)
        with closing(expected), closing(stored):
            for wanted in chain(expected, (None,)):
                row = next(stored, None)
                if row != wanted:
                    raise HistoryError(_difference(table.name, key, row, wanted))


def _rows(table: Table, connection: Connection) -> Generator[dict[str, Any], None, None]:
    """The rows by key, with their columns by name."""
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS)
    with connection.execute(query) as result:
        for row in result.mappings():
            yield dict(row)


def _difference(table: str, key: list[str], row: dict[str, Any] | None, wanted: dict[str, Any] | None) -> str:
    """What differs: a row that is missing, one too many, or values of one."""
    theirs, ours = (None if each is None else [each[name] for name in key] for each in (row, wanted))
    if theirs is None or (ours is not None and ours < theirs):
        assert wanted is not None
        return f"the row of {table} with {_shown(wanted, key)} is missing: {_CURE}"
    assert row is not None
    if wanted is None or ours != theirs:
        return f"the row of {table} with {_shown(row, key)} does not follow from the journal: {_CURE}"
    names = [name for name in row if row[name] != wanted[name]]
    return (
        f"the row of {table} with {_shown(row, key)} has {_shown(row, names)}, "
        f"by the journal {_shown(wanted, names)}: {_CURE}"
    )


def _shown(row: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {row[name]!a:.{_SHOWN}}" for name in names)
