"""The projector's statements write their rows unchanged, whatever their number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Table, delete, select

from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.write.statements import Row, compile_inserts, run
from tests.support import databases

# Around SQLite's 111 and 124 rows in one statement, and PostgreSQL's 1,000 in one piece of text.
COUNTS = (0, 1, 110, 111, 112, 124, 125, 248, 1_000, 1_001, 2_003)
BIG = 2**63 - 1


def transfer(n: int) -> Row:
    return (n, n // 7, n % 3, n % 5, n % 4, n % 6, -1 if n % 2 else 3, BIG - n)


def trade(n: int) -> Row:
    return (n, n // 7, 1, n + 1, n, 3, 4, n % 2, 10, 20, 30, 0, BIG)


def intent(n: int) -> Row:
    """Text that COPY could misread: empty, null, a field or line separator."""
    odd = (None, "None", "\\N", "a\tb", "%d", "c\nd", "\\", "")
    action, seq = odd[n % 8] or "buy", None if n % 2 else n
    return (n, -n, f"{n:040x}", n // 7, 2, odd[n % 3], action, odd[n % 5], odd[n % 8], seq)


@pytest.mark.parametrize(
    ("table", "make"), [(schema.transfers, transfer), (schema.trades, trade), (schema.intents, intent)]
)
def test_new_rows_are_written_as_they_are(table: Table, make: Callable[[int], Row]) -> None:
    database = open_writer(databases.fresh())
    statement = compile_inserts(database, [table])[table.name]
    with database.begin() as connection:
        for count in COUNTS:
            rows = [make(n) for n in range(1, count + 1)]
            run(connection, statement, rows)
            assert [tuple(row) for row in connection.execute(select(table).order_by(table.c.n))] == rows
            connection.execute(delete(table))
