"""What the venue owes and has not paid yet: pending withdrawals and refunds due."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from settlement.amounts import show_units
from settlement.names import decode
from settlement.store import schema


class PendingClaim(NamedTuple):
    """A claim in display form: decimal text, decoded names. `memo` is the trader's own.

    `escrow` is where a refund's deposit lies; a withdrawal is paid from its token's escrow account.
    """

    id: str
    symbol: str
    quantity: str
    to: str
    memo: str | None
    escrow: str


def pending_claims(connection: Connection) -> list[PendingClaim]:
    """All open claims, withdrawals first, each kind in order of opening."""
    w, r, t = schema.withdrawals, schema.refunds, schema.tokens
    withdrawals = (
        select(w.c.id, t.c.symbol, w.c.amount, t.c.precision, w.c.to, w.c.memo, t.c.escrow)
        .join_from(w, t, w.c.token_id == t.c.id)
        .where(w.c.status == schema.PENDING)
        .order_by(w.c.n)
    )
    claims = [
        PendingClaim(id_, symbol, show_units(amount, precision), to, memo and decode(memo), escrow)
        for id_, symbol, amount, precision, to, memo, escrow in connection.execute(withdrawals)
    ]
    refunds = (
        select(r.c.id, r.c.symbol, r.c.quantity, r.c.account, r.c.escrow)
        .where(r.c.status == schema.PENDING)
        .order_by(r.c.n)
    )
    for id_, symbol, quantity, account, escrow in connection.execute(refunds):
        claims.append(PendingClaim(id_, decode(symbol), decode(quantity), decode(account), None, escrow))
    return claims
