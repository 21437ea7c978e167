"""/api/deposits: what an account has sent to escrow (credited, refunded or ignored), newest first."""

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
from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import decode, encode
from settlement.store import schema
from settlement.store.read.accounts.deposits import DepositRow, list_deposits

CREDITED: Final = "credited"
REFUND_DUE: Final = "refund_due"
REFUNDED: Final = "refunded"
IGNORED: Final = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositsParameters(PageParameters):
    user: User


class Deposit(Part, kw_only=True):
    """An arrival in escrow: credited; refunded, if it cannot be credited; or ignored: nothing is due."""

    id: str
    user: str
    chain: Annotated[str, choice(HIVE, HIVE_ENGINE)]
    symbol: Annotated[str, Meta(description="Untrusted text from the chain, unless credited.")]
    amount: Annotated[str, Meta(description="Decimal text; as on the chain, unless credited.")]
    escrow: str
    status: Annotated[str, choice(CREDITED, REFUND_DUE, REFUNDED, IGNORED)]
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
        chain=row.chain,
        symbol=decode(row.symbol),
        amount=_amount(row),
        escrow=row.escrow,
        status=_status(row),
        ts=iso(row.timestamp),
        block=row.block,
        paid_by=row.paid_by,
    )


def _amount(row: DepositRow) -> str:
    if row.amount is None or row.precision is None:
        return decode(row.quantity or "")
    return show_units(row.amount, row.precision)


def _status(row: DepositRow) -> str:
    if row.status is None:
        return IGNORED if row.amount is None else CREDITED
    return REFUND_DUE if row.status == schema.PENDING else REFUNDED


resource = Resource(
    "/api/deposits",
    DepositsParameters,
    Deposits,
    "What an account has sent to escrow, newest first.",
    _view,
    group="Account",
)
