"""The recorder's statements, compiled once: SQL text of the driver's own kind, values as tuples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Table, bindparam, case, insert, update
from sqlalchemy.dialects.sqlite import insert as upsert_into
from sqlalchemy.sql.dml import UpdateBase

from settlement.store import schema
from settlement.store.queries.sums import add_parts

Row = tuple[Any, ...]
_Columns = dict[str, ColumnElement[Any]]

ORDER_PROGRESS: Final = ("remaining", "locked", "received", "released", "status", "closed_block", "fork")
CLAIM_PROGRESS: Final = ("status", "paid_by", "closed_block", "fork")


def compile_statements(engine: Engine) -> Mapping[str, str]:
    """SQL text by name. The order of names is the order in which a batch is written."""
    statements: dict[str, UpdateBase] = {
        "accounts": insert(schema.accounts),
        "tokens": _upsert(schema.tokens),
        "pairs": _upsert(schema.pairs),
        "blocks": insert(schema.blocks),
        "journal": insert(schema.journal),
        "intents": insert(schema.intents),
        "orders": insert(schema.orders),
        "orders_progress": _progress(schema.orders, "seq", ORDER_PROGRESS),
        "order_changes": insert(schema.order_changes),
        "trades": insert(schema.trades),
        "candles": _add_candles(),
        "transfers": insert(schema.transfers),
        "balances": _upsert(schema.balances),
        "balance_changes": insert(schema.balance_changes),
        "totals": _add_totals(),
        "deposits": insert(schema.deposits),
        "refunds": insert(schema.refunds),
        "refunds_progress": _progress(schema.refunds, "n", CLAIM_PROGRESS),
        "withdrawals": insert(schema.withdrawals),
        "withdrawals_progress": _progress(schema.withdrawals, "n", CLAIM_PROGRESS),
        "outflows": insert(schema.outflows),
        "internal_moves": insert(schema.internal_moves),
        "checkpoints": insert(schema.checkpoints),
        "receipts": insert(schema.receipts),
        "holdings": _upsert(schema.holdings),
        "holding_changes": insert(schema.holding_changes),
        "cursor": _upsert(schema.cursor),
    }
    return {name: str(statement.compile(engine)) for name, statement in statements.items()}


def run(connection: Connection, sql: str, rows: Sequence[Row]) -> None:
    """Execute one statement for all rows, in the driver's bulk path."""
    if rows:
        connection.exec_driver_sql(sql, list(rows))


def _upsert(table: Table) -> UpdateBase:
    """The row replaces the one that is there."""
    return _merge(table, lambda _, new: dict(new))


def _add_totals() -> UpdateBase:
    """The row is added to the one that is there."""
    return _merge(schema.totals, lambda old, new: {name: old[name] + new[name] for name in new})


def _add_candles() -> UpdateBase:
    """The row's trades come after those of the one that is there."""

    def later(old: _Columns, new: _Columns) -> _Columns:
        base = add_parts(old["base_high"], old["base_low"], new["base_high"], new["base_low"])
        quote = add_parts(old["quote_high"], old["quote_low"], new["quote_high"], new["quote_low"])
        return {
            "high": case((new["high"] > old["high"], new["high"]), else_=old["high"]),
            "low": case((new["low"] < old["low"], new["low"]), else_=old["low"]),
            "close": new["close"],
            **dict(zip(("base_high", "base_low", "quote_high", "quote_low"), (*base, *quote), strict=True)),
            "trades": old["trades"] + new["trades"],
        }

    return _merge(schema.candles, later)


def _merge(table: Table, merge: Callable[[_Columns, _Columns], _Columns]) -> UpdateBase:
    """Insert, or set columns out of the values that are there and the new ones."""
    statement = upsert_into(table)
    keys = [column.name for column in table.primary_key]
    old: _Columns = {column.name: column for column in table.columns if column.name not in keys}
    new: _Columns = {name: statement.excluded[name] for name in old}
    return statement.on_conflict_do_update(index_elements=keys, set_=merge(old, new))


def _progress(table: Table, key: str, columns: tuple[str, ...]) -> UpdateBase:
    """Values first, the key last, in the order of `columns`."""
    values: list[tuple[str, Any]] = [(name, bindparam(f"new_{name}")) for name in columns]
    return update(table).where(table.c[key] == bindparam("row_key")).ordered_values(*values)
