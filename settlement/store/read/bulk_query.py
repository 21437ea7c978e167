"""Queries whose rows are fetched in one step.

SQLite's driver releases the interpreter lock at every row: among many threads, a list of 100 rows would wait
for the lock 100 times. PostgreSQL's driver fetches all rows at once anyway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Select, func, select


class BulkQuery:
    """A SELECT of integers, texts and booleans, fetched from SQLite as one JSON array of rows."""

    def __init__(self, statement: Select[Any]) -> None:
        """The order of the statement is kept: SQLite aggregates the rows of a subquery in its order."""
        self._statement = statement
        columns = statement.subquery().c
        self._as_json = select(func.json_group_array(func.json_array(*columns)))
        self._booleans = [place for place, column in enumerate(columns) if isinstance(column.type, Boolean)]

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, values).all()
        rows: list[list[Any]] = json.loads(connection.execute(self._as_json, values).scalar_one())
        for place in self._booleans:
            for row in rows:
                row[place] = bool(row[place])
        return rows
