"""Liabilities of the venue and holdings of its escrow accounts, in units, as derived from the chain."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

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
    real: RealBalance | None  # None before the first reading


class RealBalance(NamedTuple):
    """What a node said that a token's escrow account holds."""

    units: int
    block: int  # the newest one that the node had executed
    updated: int  # seconds since 1970
    difference: int | None  # from the ledger's holdings after that block; None if it is far from that block


class EscrowOperationRow(NamedTuple):
    """An operation on an escrow account that the protocol does not read."""

    transaction_id: str
    operation_index: int
    type: str
    account: str
    acting: bool  # the account signed it, or its keys are concerned; else it is only named
    text: str  # JSON
    block: int


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
_v, _h = schema.escrow_balances.c, schema.holding_changes.c
_REAL: Select[Any] = select(
    *(_v.symbol, _v.units, _v.block, _v.updated),
    select(_h.units)
    .where(_h.symbol == _v.symbol, _h.block <= _v.block)
    .order_by(_h.block.desc())
    .limit(1)
    .scalar_subquery()
    .label("holdings"),
)
_e = schema.escrow_operations.c
_OPERATIONS: Select[Any] = select(*(_e[name] for name in EscrowOperationRow._fields)).order_by(
    _e.block.desc(), _e.position.desc()
)
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


NEAR_BLOCKS: Final = 100
"""Real balances are compared with a ledger that is at most so many blocks behind them."""


def read_solvency(connection: Connection) -> list[SolvencyRow]:
    """All tokens, by symbol."""
    real = _real_balances(connection)
    return [row._replace(real=real.get(row.symbol)) for row in read_ledger_balances(connection)]


def read_ledger_balances(connection: Connection) -> list[SolvencyRow]:
    """All tokens, by symbol, without the real balances."""
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
            real=None,
        )
        for row in connection.execute(_TOKENS)
    ]


def _real_balances(connection: Connection) -> dict[str, RealBalance]:
    position = connection.scalar(select(schema.cursor.c.block)) or 0
    found = {}
    for row in connection.execute(_REAL):
        units, holdings = read_integer_text(row.units), read_integer_text(row.holdings or "0")
        difference = units - holdings if row.block - position <= NEAR_BLOCKS else None
        found[row.symbol] = RealBalance(units, row.block, row.updated, difference)
    return found


def list_operations(connection: Connection, *, acting: bool, limit: int) -> list[EscrowOperationRow]:
    """The newest operations on escrow accounts, newest first; those of the accounts themselves, or others."""
    query = _OPERATIONS.where(_e.acting == acting).limit(limit)
    return [EscrowOperationRow(*row) for row in connection.execute(query)]


def count_operations(connection: Connection, after: int) -> dict[str, int]:
    """How many operations each escrow account has signed, or has had on its keys, after a block."""
    query = select(_e.account, func.count()).where(_e.acting, _e.block > after).group_by(_e.account)
    return {row[0]: row[1] for row in connection.execute(query.order_by(_e.account))}


def list_outflows(connection: Connection, limit: int) -> list[OutflowRow]:
    """The newest unmatched outflows, newest first."""
    return [OutflowRow(*row) for row in connection.execute(_OUTFLOWS.limit(limit))]


def list_refunds_due(connection: Connection, limit: int) -> list[RefundRow]:
    """The oldest deposits that are due for a refund, oldest first: the order in which they are paid."""
    return [RefundRow(*row) for row in connection.execute(_REFUNDS_DUE.limit(limit))]
