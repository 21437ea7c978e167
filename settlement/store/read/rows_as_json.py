"""All rows of a statement in one step.

SQLite's driver gives up the interpreter at every row: among many threads a list of 100 rows would wait
100 times for its turn. PostgreSQL's fetches all at once anyway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Select, func, select


class AtOnce:
    """A statement whose columns are integers, text and booleans."""

    def __init__(self, statement: Select[Any]) -> None:
        """Its order is kept: SQLite reads an inner query in its order."""
        self._statement = statement
        columns = statement.subquery().c
        self._packed = select(func.json_group_array(func.json_array(*columns)))
        self._booleans = [place for place, column in enumerate(columns) if isinstance(column.type, Boolean)]

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, values).all()
        rows: list[list[Any]] = json.loads(connection.execute(self._packed, values).scalar_one())
        for place in self._booleans:
            for row in rows:
                row[place] = bool(row[place])
        return rows
