"""/api/solvency: liabilities and escrow holdings by token."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Count, Part, Time, choice
from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import read_integer_text, show_units
from settlement.core.parsing.names import decode
from settlement.store.read.audit.solvency import (
    EscrowOperationRow,
    OutflowRow,
    RefundRow,
    SolvencyRow,
    list_operations,
    list_outflows,
    list_refunds_due,
    read_solvency,
)

MAX_ROWS: Final = 100
MAX_NAMED: Final = 20
"""Operations of others that name an escrow account: anyone can make them."""

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
    real_balance: Annotated[
        Amount | None,
        Meta(description="What the escrow account held on the chain after real_block, as a node said."),
    ]
    real_difference: Annotated[
        Amount | None,
        Meta(description="real_balance less the holdings after real_block; null while the ledger is behind."),
    ]
    real_block: Block | None
    real_ts: Annotated[Time | None, Meta(description="When it was read, by the indexer's clock.")]


class EscrowOperation(Part, kw_only=True):
    """An operation on an escrow account that the protocol does not read: it moves funds without a line."""

    transaction_id: str
    operation_index: Count
    block: Block
    type: str
    account: str
    acting: Annotated[
        bool, Meta(description="The account signed it, or its keys are concerned; else it is only named.")
    ]
    operation: Annotated[str, Meta(description="Its value as JSON, long texts cut: untrusted text.")]


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
    escrow_operations: Annotated[
        list[EscrowOperation],
        Meta(
            description=f"The newest {MAX_ROWS} of the escrow accounts, then the newest {MAX_NAMED} of "
            "others; newest first."
        ),
    ]
    unmatched_outflows: Annotated[list[Outflow], Meta(description=f"The newest {MAX_ROWS}, newest first.")]
    refunds_due: Annotated[list[RefundDue], Meta(description=f"The oldest {MAX_ROWS}, oldest first.")]


def _view(snapshot: Snapshot, _: NoParameters) -> Solvency:
    connection = snapshot.connection
    return Solvency(
        *snapshot.stamp,
        tokens=[_token(row) for row in read_solvency(connection)],
        escrow_operations=[
            _operation(row)
            for acting, limit in ((True, MAX_ROWS), (False, MAX_NAMED))
            for row in list_operations(connection, acting=acting, limit=limit)
        ],
        unmatched_outflows=[_outflow(row) for row in list_outflows(connection, MAX_ROWS)],
        refunds_due=[_refund(row) for row in list_refunds_due(connection, MAX_ROWS)],
    )


def _token(row: SolvencyRow) -> TokenSolvency:
    liabilities = row.available + row.locked + row.withdrawing
    surplus = row.holdings - liabilities
    real = row.real
    difference = real and real.difference
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
        real_balance=None if real is None else show_units(real.units, row.precision),
        real_difference=None if difference is None else show_units(difference, row.precision),
        real_block=real and real.block,
        real_ts=real and iso(real.updated),
    )


def _operation(row: EscrowOperationRow) -> EscrowOperation:
    return EscrowOperation(
        transaction_id=row.transaction_id,
        operation_index=row.operation_index,
        block=row.block,
        type=row.type,
        account=row.account,
        acting=row.acting,
        operation=row.text,
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
    live=True,
    group="Audit",
)
