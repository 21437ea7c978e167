"""/api/deposits: deposits of an account and their refunds, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.paging import Cursors
from api.http.parameters import PageParameters, User
from api.http.resource import Resource
from api.http.shapes import Answer, Block, NextCursor, Part, Time, choice
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import decode, encode
from settlement.store import schema
from settlement.store.read.accounts.deposits import DepositRow, list_deposits

CREDITED: Final = "credited"
REFUND_DUE: Final = "refund_due"
REFUNDED: Final = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositsParameters(PageParameters):
    user: User


class Deposit(Part, kw_only=True):
    """A deposit, which is credited, or refunded if it cannot be."""

    id: str
    user: str
    symbol: Annotated[str, Meta(description="With a refund: untrusted text from the chain.")]
    amount: Annotated[str, Meta(description="Decimal text; with a refund: as on the chain.")]
    escrow: str
    status: Annotated[str, choice(CREDITED, REFUND_DUE, REFUNDED)]
    ts: Time
    block: Block
    paid_by: Annotated[str | None, Meta(description="Transaction id of the refund.")]


class Deposits(Answer, kw_only=True):
    deposits: list[Deposit]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, params: DepositsParameters) -> Deposits:
    cursors = Cursors("deposits", params.user)
    page = list_deposits(snapshot.connection, encode(params.user), cursors.read(params.cursor), params.limit)
    return Deposits(
        *snapshot.stamp,
        deposits=[show_deposit(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def show_deposit(row: DepositRow) -> Deposit:
    return Deposit(
        id=row.id,
        user=decode(row.account),
        symbol=decode(row.symbol),
        amount=_amount(row),
        escrow=row.escrow,
        status=_status(row.status),
        ts=iso(row.timestamp),
        block=row.block,
        paid_by=row.paid_by,
    )


def _amount(row: DepositRow) -> str:
    if row.amount is None or row.precision is None:
        return decode(row.quantity or "")
    return show_units(row.amount, row.precision)


def _status(claim: int | None) -> str:
    if claim is None:
        return CREDITED
    return REFUND_DUE if claim == schema.PENDING else REFUNDED


resource = Resource(
    "/api/deposits",
    DepositsParameters,
    Deposits,
    "Deposits of an account and their refunds, newest first.",
    _view,
    group="Account",
)
