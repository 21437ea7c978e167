"""What the venue owes against what its escrow accounts hold, as far as the chain shows; both in units."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from settlement.store import schema
from settlement.store.read.open_at_block import is_open


class SolvencyRow(NamedTuple):
    """A token. `holdings` is over all escrow accounts; it can be negative, and beyond 64 bits."""

    symbol: str
    precision: int
    escrow: str
    holdings: int
    available: int
    locked: int
    withdrawing: int


class OutflowRow(NamedTuple):
    """Money that left an escrow account without a claim. Text is encoded, `quantity` as on the chain."""

    n: int
    id: str
    escrow: str
    chain: str
    symbol: str
    quantity: str
    to: str
    block: int
    timestamp: int


class RefundRow(NamedTuple):
    """A deposit that is due back. Text is encoded, `quantity` as the chain spelled it."""

    n: int
    id: str
    account: str
    chain: str
    symbol: str
    quantity: str
    escrow: str
    block: int
    timestamp: int


_t, _s, _f, _r, _b = (
    schema.tokens.c,
    schema.totals.c,
    schema.outflows.c,
    schema.refunds.c,
    schema.blocks.c,
)
_TOKENS = (
    select(
        _t.symbol,
        _t.precision,
        _t.escrow,
        *(func.coalesce(column, 0) for column in (_s.available, _s.locked, _s.withdrawing)),
    )
    .select_from(schema.tokens.outerjoin(schema.totals, _s.token_id == _t.id))
    .order_by(_t.symbol)
)
_HOLDINGS = select(schema.holdings.c.symbol, schema.holdings.c.units)
_OUTFLOWS: Select[Any] = (
    select(*(_f[name] for name in OutflowRow._fields[:-1]), _b.timestamp)
    .join(schema.blocks, _b.number == _f.block)
    .order_by(_f.n.desc())
)
_REFUNDS_DUE: Select[Any] = (
    select(*(_r[name] for name in RefundRow._fields[:-1]), _b.timestamp)
    .join(schema.blocks, _b.number == _r.block)
    .where(is_open(_r.status))
    .order_by(_r.n)
)


def read_solvency(connection: Connection) -> list[SolvencyRow]:
    """Every token, by symbol."""
    holdings: dict[str, int] = {}
    for symbol, units in connection.execute(_HOLDINGS):
        holdings[symbol] = holdings.get(symbol, 0) + int(units)
    return [
        SolvencyRow(symbol, precision, escrow, holdings.get(symbol, 0), *owed)
        for symbol, precision, escrow, *owed in connection.execute(_TOKENS)
    ]


def list_outflows(connection: Connection, limit: int) -> list[OutflowRow]:
    """The newest unmatched outflows, newest first."""
    return [OutflowRow(*row) for row in connection.execute(_OUTFLOWS.limit(limit))]


def list_refunds_due(connection: Connection, limit: int) -> list[RefundRow]:
    """The oldest deposits that are due back, oldest first: in the order in which they are paid."""
    return [RefundRow(*row) for row in connection.execute(_REFUNDS_DUE.limit(limit))]
