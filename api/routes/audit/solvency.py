"""/api/solvency: liabilities and escrow holdings by token."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Part, Time, choice
from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import read_integer_text, show_units
from settlement.core.parsing.names import decode
from settlement.store.read.audit.solvency import (
    OutflowRow,
    RefundRow,
    SolvencyRow,
    list_outflows,
    list_refunds_due,
    read_solvency,
)

MAX_ROWS: Final = 100

Quantity = Annotated[str, Meta(description="As on the chain: untrusted text.")]
OutflowQuantity = Annotated[
    str,
    Meta(description="By how much holdings fell; if they did not, as on the chain: untrusted text."),
]


class TokenSolvency(Part, kw_only=True):
    """A token: liabilities to all accounts, and what its escrow account holds as far as the chain shows."""

    symbol: str
    escrow: str
    holdings: Amount
    available: Amount
    locked: Amount
    withdrawing: Amount
    liabilities: Annotated[Amount, Meta(description="available + locked + withdrawing")]
    surplus: Annotated[Amount, Meta(description="holdings - liabilities; negative if insolvent.")]
    solvent: bool


class Outflow(Part, kw_only=True):
    """A payment from escrow that matches no withdrawal or refund."""

    id: str
    ts: Time
    block: Block
    escrow: str
    chain: Annotated[str, choice(HIVE, HIVE_ENGINE)]
    symbol: str
    quantity: OutflowQuantity
    to: str


class RefundDue(Part, kw_only=True):
    """A deposit that could not be credited and has not been refunded yet."""

    id: str
    ts: Time
    block: Block
    user: str
    symbol: str
    quantity: Quantity
    escrow: str


class Solvency(Answer, kw_only=True):
    tokens: list[TokenSolvency]
    unmatched_outflows: Annotated[list[Outflow], Meta(description=f"The newest {MAX_ROWS}, newest first.")]
    refunds_due: Annotated[list[RefundDue], Meta(description=f"The oldest {MAX_ROWS}, oldest first.")]


def _view(snapshot: Snapshot, _: NoParameters) -> Solvency:
    connection = snapshot.connection
    return Solvency(
        *snapshot.stamp,
        tokens=[_token(row) for row in read_solvency(connection)],
        unmatched_outflows=[_outflow(row) for row in list_outflows(connection, MAX_ROWS)],
        refunds_due=[_refund(row) for row in list_refunds_due(connection, MAX_ROWS)],
    )


def _token(row: SolvencyRow) -> TokenSolvency:
    liabilities = row.available + row.locked + row.withdrawing
    surplus = row.holdings - liabilities
    return TokenSolvency(
        symbol=row.symbol,
        escrow=row.escrow,
        holdings=show_units(row.holdings, row.precision),
        available=show_units(row.available, row.precision),
        locked=show_units(row.locked, row.precision),
        withdrawing=show_units(row.withdrawing, row.precision),
        liabilities=show_units(liabilities, row.precision),
        surplus=show_units(surplus, row.precision),
        solvent=surplus >= 0,
    )


def _outflow(row: OutflowRow) -> Outflow:
    return Outflow(
        id=row.id,
        ts=iso(row.timestamp),
        block=row.block,
        escrow=row.escrow,
        symbol=decode(row.symbol),
        chain=row.chain,
        quantity=_quantity(row),
        to=decode(row.to),
    )


def _quantity(row: OutflowRow) -> str:
    if row.amount.startswith("="):
        return decode(row.amount[1:])
    return show_units(read_integer_text(row.amount), row.precision or 0)


def _refund(row: RefundRow) -> RefundDue:
    return RefundDue(
        id=row.id,
        ts=iso(row.timestamp),
        block=row.block,
        user=decode(row.account),
        symbol=decode(row.symbol),
        quantity=decode(row.quantity),
        escrow=row.escrow,
    )


resource = Resource(
    "/api/solvency",
    NoParameters,
    Solvency,
    "Liabilities and escrow holdings by token.",
    _view,
    group="Audit",
)
