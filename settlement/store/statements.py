"""The recorder's statements, compiled once: SQL text of the driver's own kind, values as tuples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, bindparam, insert, update
from sqlalchemy.dialects.sqlite import insert as upsert_into
from sqlalchemy.sql.dml import UpdateBase

from settlement.store import schema

Row = tuple[Any, ...]

ORDER_PROGRESS: Final = ("remaining", "locked", "received", "released", "status", "closed_block")
CLAIM_PROGRESS: Final = ("status", "paid_by", "closed_block")


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
        "trades": insert(schema.trades),
        "transfers": insert(schema.transfers),
        "balances": _upsert(schema.balances),
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
        "cursor": _upsert(schema.cursor),
    }
    return {name: str(statement.compile(engine)) for name, statement in statements.items()}


def run(connection: Connection, sql: str, rows: Sequence[Row]) -> None:
    """Execute one statement for all rows, in the driver's bulk path."""
    if rows:
        connection.exec_driver_sql(sql, list(rows))


def _upsert(table: Table) -> UpdateBase:
    statement = upsert_into(table)
    keys = [column.name for column in table.primary_key]
    newest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=newest)


def _progress(table: Table, key: str, columns: tuple[str, ...]) -> UpdateBase:
    """Values first, the key last, in the order of `columns`."""
    values: list[tuple[str, Any]] = [(name, bindparam(f"new_{name}")) for name in columns]
    return update(table).where(table.c[key] == bindparam("row_key")).ordered_values(*values)
