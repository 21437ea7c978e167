"""Liabilities of the venue and holdings of its escrow accounts, in units, as derived from the chain."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from settlement.core.parsing.amounts import read_integer_text
from settlement.store import schema
from settlement.store.read.open_at_block import is_open


class SolvencyRow(NamedTuple):
    """Holdings and liabilities of a token."""

    symbol: str
    precision: int
    escrow: str
    holdings: int  # of its escrow account; can be negative, and exceed 64 bits
    available: int
    locked: int
    withdrawing: int


class OutflowRow(NamedTuple):
    """A transfer out of an escrow account that matches no claim. Text is encoded."""

    n: int
    id: str
    escrow: str
    chain: str
    symbol: str
    amount: str  # units by which holdings fell, or = and the quantity as spelled on the chain
    precision: int | None  # of the token, if it is listed
    to: str
    block: int
    timestamp: int


class RefundRow(NamedTuple):
    """A deposit that is due for a refund. Text is encoded."""

    n: int
    id: str
    account: str
    chain: str
    symbol: str
    quantity: str  # as spelled on the chain
    escrow: str
    block: int
    timestamp: int


_t, _s, _f, _r = schema.tokens.c, schema.totals.c, schema.outflows.c, schema.refunds.c
_b = schema.blocks.c
_TOKENS = (
    select(
        _t.symbol,
        _t.precision,
        _t.escrow,
        *(func.coalesce(_s[name], 0).label(name) for name in ("available", "locked", "withdrawing")),
    )
    .select_from(schema.tokens.outerjoin(schema.totals, _s.token_id == _t.id))
    .order_by(_t.symbol)
)
_HOLDINGS = select(schema.holdings.c.symbol, schema.holdings.c.units)
_OUTFLOWS: Select[Any] = (
    select(
        *(_f[name] for name in ("n", "id", "escrow", "chain", "symbol", "amount")),
        _t.precision,
        *(_f.to, _f.block, _b.timestamp),
    )
    .select_from(schema.outflows)
    .join(schema.blocks, _b.number == _f.block)
    .outerjoin(schema.tokens, _t.symbol == _f.symbol)
    .order_by(_f.n.desc())
)
_REFUNDS_DUE: Select[Any] = (
    select(*(_r[name] for name in RefundRow._fields[:-1]), _b.timestamp)
    .join(schema.blocks, _b.number == _r.block)
    .where(is_open(_r.status))
    .order_by(_r.n)
)


def read_solvency(connection: Connection) -> list[SolvencyRow]:
    """All tokens, by symbol."""
    holdings = {row.symbol: read_integer_text(row.units) for row in connection.execute(_HOLDINGS)}
    return [
        SolvencyRow(
            symbol=row.symbol,
            precision=row.precision,
            escrow=row.escrow,
            holdings=holdings[row.symbol],
            available=row.available,
            locked=row.locked,
            withdrawing=row.withdrawing,
        )
        for row in connection.execute(_TOKENS)
    ]


def list_outflows(connection: Connection, limit: int) -> list[OutflowRow]:
    """The newest unmatched outflows, newest first."""
    return [OutflowRow(*row) for row in connection.execute(_OUTFLOWS.limit(limit))]


def list_refunds_due(connection: Connection, limit: int) -> list[RefundRow]:
    """The oldest deposits that are due for a refund, oldest first: the order in which they are paid."""
    return [RefundRow(*row) for row in connection.execute(_REFUNDS_DUE.limit(limit))]
