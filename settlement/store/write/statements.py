"""The projector's statements, compiled once, in the driver's fastest form for many rows.

SQLite: multi-row INSERTs for new rows, one execution per row for the rest. PostgreSQL: COPY for new rows, and
one statement over arrays (`unnest`), one array per column, for rows merged into existing ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Integer,
    String,
    Table,
    TableValuedAlias,
    Text,
    bindparam,
    case,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.dml import UpdateBase

from settlement.store import postgresql, schema
from settlement.store.dialect import Upsert, upsert_into
from settlement.store.read.wide_sums import add_parts

Row = tuple[Any, ...]
_Columns = dict[str, ColumnElement[Any]]
_Merge = Callable[[_Columns, _Columns], _Columns]

ORDER_PROGRESS: Final = (
    *("remaining", "locked", "received", "released", "traded_base", "traded_quote", "fees"),
    *("status", "fired_code", "fired_seq", "closed_block", "fork"),
)
PAYMENT_PROGRESS: Final = ("status", "paid_by", "closed_block", "fork")
END_PROGRESS: Final = ("status", "closed_block", "fork")


class Statement(Protocol):
    """A compiled statement. Rows are tuples in the order of its columns."""

    @property
    def sql(self) -> str: ...

    def write(self, connection: Connection, rows: Sequence[Row]) -> None: ...


def compile_statements(engine: Engine) -> Mapping[str, Statement]:
    """Statements by name, in the order in which a batch is written."""
    return _compiled(engine.dialect.name)


@cache
def _compiled(kind: str) -> Mapping[str, Statement]:
    on = _on(kind)
    return {
        "accounts": on.insert(schema.accounts),
        "tokens": on.merge(schema.tokens, _replace),
        "pairs": on.merge(schema.pairs, _replace),
        "blocks": on.insert(schema.blocks),
        "journal": on.insert(schema.journal),
        "intents": on.insert(schema.intents),
        "orders": on.insert(schema.orders),
        "orders_progress": on.progress(schema.orders, "seq", ORDER_PROGRESS),
        "order_changes": on.insert(schema.order_changes),
        "trades": on.insert(schema.trades),
        "candles": on.merge(schema.candles, _add_candles),
        "transfers": on.insert(schema.transfers),
        "balances": on.merge(schema.balances, _replace),
        "balance_changes": on.insert(schema.balance_changes),
        "totals": on.merge(schema.totals, _replace),
        "deposits": on.insert(schema.deposits),
        "refunds": on.insert(schema.refunds),
        "refunds_progress": on.progress(schema.refunds, "n", PAYMENT_PROGRESS),
        "withdrawals": on.insert(schema.withdrawals),
        "withdrawals_progress": on.progress(schema.withdrawals, "n", PAYMENT_PROGRESS),
        "withdrawals_returning": on.progress(schema.withdrawals, "n", ("return_due", "returning_block")),
        "ignored": on.insert(schema.ignored),
        "grants": on.insert(schema.grants),
        "grants_progress": on.progress(schema.grants, "n", END_PROGRESS),
        "grant_usage": on.insert(schema.grant_usage),
        "timers": on.insert(schema.timers),
        "timers_progress": on.progress(schema.timers, "n", END_PROGRESS),
        "marks": on.insert(schema.marks),
        "left_over": on.insert(schema.left_over),
        "settings": on.insert(schema.settings),
        "outflows": on.insert(schema.outflows),
        "internal_moves": on.insert(schema.internal_moves),
        "checkpoints": on.insert(schema.checkpoints),
        "receipts": on.insert(schema.receipts),
        "escrow_operations": on.insert(schema.escrow_operations),
        "holdings": on.merge(schema.holdings, _replace),
        "holding_changes": on.insert(schema.holding_changes),
        "state_check": on.merge(schema.state_check, _replace),
        "cursor": on.merge(schema.cursor, _replace),
    }


def compile_inserts(engine: Engine, tables: Iterable[Table]) -> Mapping[str, Statement]:
    """The INSERT statement of each table, by table name."""
    on = _on(engine.dialect.name)
    return {table.name: on.insert(table) for table in tables}


def _on(kind: str) -> _Postgresql | _Sqlite:
    return _Postgresql() if kind == postgresql.NAME else _Sqlite()


def run(connection: Connection, statement: Statement, rows: Sequence[Row]) -> None:
    """Execute a statement for all rows. Merged rows must have different keys."""
    if rows:
        statement.write(connection, rows)


# ---------------------------------------------------------------- merging rows


def _replace(_: _Columns, new: _Columns) -> _Columns:
    """The new row replaces the old one."""
    return new


def _add_candles(old: _Columns, new: _Columns) -> _Columns:
    """The new row's trades follow those of the old one."""
    base = add_parts(old["base_high"], old["base_low"], new["base_high"], new["base_low"])
    quote = add_parts(old["quote_high"], old["quote_low"], new["quote_high"], new["quote_low"])
    return {
        "high": case((new["high"] > old["high"], new["high"]), else_=old["high"]),
        "low": case((new["low"] < old["low"], new["low"]), else_=old["low"]),
        "close": new["close"],
        **dict(zip(("base_high", "base_low", "quote_high", "quote_low"), (*base, *quote), strict=True)),
        "trades": old["trades"] + new["trades"],
    }


def _merged(statement: Upsert, table: Table, merge: _Merge) -> UpdateBase:
    """Insert, or combine the old and new values on a key conflict."""
    keys = [column.name for column in table.primary_key]
    old: _Columns = {column.name: column for column in table.columns if column.name not in keys}
    new: _Columns = {name: statement.excluded[name] for name in old}
    return statement.on_conflict_do_update(index_elements=keys, set_=merge(old, new))


# ---------------------------------------------------------------- SQLite


_MAX_PARAMETERS: Final = 999 if sqlite3.sqlite_version_info < (3, 32) else 4_000
"""Parameters of one statement: SQLite before 3.32 refuses more than 999."""


class _Each(NamedTuple):
    """Executed once per row."""

    sql: str

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(self.sql, list(rows))


class _Insert(NamedTuple):
    """Multi-row INSERT: it takes two thirds of the time of single rows."""

    sql: str  # of one row
    sql_of_many: str
    many: int  # rows of `sql_of_many`

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        many = self.many
        rest = len(rows) - len(rows) % many
        if rest:
            parameters = (chain.from_iterable(rows[i : i + many]) for i in range(0, rest, many))
            connection.exec_driver_sql(self.sql_of_many, list(map(tuple, parameters)))
        if rest < len(rows):
            connection.exec_driver_sql(self.sql, list(rows[rest:]))


class _Sqlite:
    def __init__(self) -> None:
        self._dialect: Dialect = SQLiteDialect_pysqlite()

    def insert(self, table: Table) -> Statement:
        sql = str(insert(table).compile(dialect=self._dialect))
        head, values = sql.split(" VALUES ")
        many = _MAX_PARAMETERS // len(table.columns)
        return _Insert(sql, f"{head} VALUES {', '.join([values] * many)}", many)

    def merge(self, table: Table, merge: _Merge) -> Statement:
        return self._each(_merged(upsert_into(table, self._dialect), table, merge))

    def progress(self, table: Table, key: str, columns: tuple[str, ...]) -> Statement:
        """An UPDATE by key. Rows are the values in the order of `columns`, then the key."""
        values: list[tuple[str, Any]] = [(name, bindparam(f"new_{name}")) for name in columns]
        return self._each(update(table).where(table.c[key] == bindparam("row_key")).ordered_values(*values))

    def _each(self, statement: UpdateBase) -> Statement:
        return _Each(str(statement.compile(dialect=self._dialect)))


# ---------------------------------------------------------------- PostgreSQL


class _Copy(NamedTuple):
    """COPY. `line` is the %-format of a row's text, for tables of integers only."""

    sql: str
    line: str | None

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        postgresql.copy(connection, self.sql, rows, self.line)


class _Arrays(NamedTuple):
    """One statement for all rows, with an array parameter per column."""

    sql: str
    names: tuple[str, ...]

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        columns = map(list, zip(*rows, strict=True))
        connection.exec_driver_sql(self.sql, dict(zip(self.names, columns, strict=True)))


class _Postgresql:
    def __init__(self) -> None:
        self._dialect: Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]

    def insert(self, table: Table) -> Statement:
        kinds = Integer | Boolean
        is_plain = all(isinstance(each.type, kinds) and not each.nullable for each in table.columns)
        line = "\t".join(["%d"] * len(table.columns)) + "\n" if is_plain else None
        return _Copy(postgresql.copy_sql(self._dialect, table), line)

    def merge(self, table: Table, merge: _Merge) -> Statement:
        names = tuple(column.name for column in table.columns)
        rows = select(_unnested(table, names))
        statement = upsert_into(table, self._dialect)
        return self._arrays(_merged(statement.from_select(names, rows), table, merge), names)

    def progress(self, table: Table, key: str, columns: tuple[str, ...]) -> Statement:
        names = (*columns, key)
        new = _unnested(table, names)
        values = {name: new.c[name] for name in columns}
        return self._arrays(update(table).where(table.c[key] == new.c[key]).values(values), names)

    def _arrays(self, statement: UpdateBase, names: tuple[str, ...]) -> Statement:
        return _Arrays(str(statement.compile(dialect=self._dialect)), names)


def _unnested(table: Table, names: tuple[str, ...]) -> TableValuedAlias:
    """`unnest` of array parameters that are named after the columns."""
    kinds = [Text() if isinstance(table.c[name].type, String) else table.c[name].type for name in names]
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in zip(names, kinds, strict=True)]
    columns = [column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="new")
