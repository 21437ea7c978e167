"""/api/withdrawals: withdrawals and the state of their payouts, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.paging import Cursors
from api.http.parameters import PageParameters, User, one_of
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Count, NextCursor, Part, Time, choice
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import decode
from settlement.store import schema
from settlement.store.read import payouts
from settlement.store.read.accounts.withdrawals import WithdrawalFilter, WithdrawalRow, list_withdrawals
from settlement.store.read.paging import Page
from settlement.store.read.venue import find_account


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalsParameters(PageParameters):
    user: User | None = None
    status: Annotated[str, one_of(*schema.CLAIM_STATUSES)] | None = None


class Payout(Part, kw_only=True):
    """State of the payment according to the operator's payouts program; only the chain settles it."""

    state: Annotated[str, choice(*payouts.STATES, *schema.CLAIM_STATUSES[1:])]
    reason: Annotated[str | None, Meta(description="Why it is waiting.")]
    transaction_ids: Annotated[list[str], Meta(description="Transactions signed for it, newest last.")]
    signatures: Annotated[
        Count | None, Meta(description="Weight of the signatures on the newest transaction.")
    ]
    needed: Annotated[Count | None, Meta(description="Required weight.")]
    next_attempt: Annotated[Time | None, Meta(description="No attempt before this block time.")]


class Withdrawal(Part, kw_only=True):
    """`memo` is the trader's; if it is null, the payment's memo is `peakedex:` and the id.

    While `returning`, it goes back to the available balance at `return_due` unless a payment arrives before.
    """

    id: str
    user: str
    symbol: str
    amount: Amount
    to: str
    memo: str | None
    status: Annotated[str, choice(*schema.CLAIM_STATUSES)]
    returning: Annotated[bool, Meta(description="Pending, and its return has started.")]
    return_due: Annotated[Time | None, Meta(description="Null unless its return was started.")]
    ts: Time
    block: Block
    paid_by: Annotated[str | None, Meta(description="Transaction id of the payment.")]
    closed_ts: Time | None
    closed_block: Block | None
    payout: Annotated[
        Payout | None, Meta(description="Null in the stream: payouts are not part of the ledger.")
    ]


class Withdrawals(Answer, kw_only=True):
    withdrawals: list[Withdrawal]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, params: WithdrawalsParameters) -> Withdrawals:
    cursors = Cursors("withdrawals", params.user, params.status)
    before = cursors.read(params.cursor)
    account = None if params.user is None else find_account(snapshot.connection, params.user)
    page: Page[WithdrawalRow] = Page([], None)
    if params.user is None or account is not None:
        status = None if params.status is None else schema.CLAIM_STATUSES.index(params.status)
        page = list_withdrawals(snapshot.connection, WithdrawalFilter(account, status), before, params.limit)
    paying = payouts.read_payouts(snapshot.connection, payouts.WITHDRAWAL, [row.n for row in page.rows])
    return Withdrawals(
        *snapshot.stamp,
        withdrawals=[show_withdrawal(row, _payout(paying[row.n])) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def show_withdrawal(row: WithdrawalRow, payout: Payout | None = None) -> Withdrawal:
    return Withdrawal(
        id=row.id,
        user=decode(row.account),
        symbol=row.symbol,
        amount=show_units(row.amount, row.precision),
        to=decode(row.to),
        memo=None if row.memo is None else decode(row.memo),
        status=schema.CLAIM_STATUSES[row.status],
        returning=row.status == schema.PENDING and row.return_due is not None,
        return_due=None if row.return_due is None else iso(row.return_due),
        ts=iso(row.timestamp),
        block=row.block,
        paid_by=row.paid_by,
        closed_ts=None if row.closed_timestamp is None else iso(row.closed_timestamp),
        closed_block=row.closed_block,
        payout=payout,
    )


def _payout(row: payouts.Payout) -> Payout:
    return Payout(
        state=row.state,
        reason=row.reason,
        transaction_ids=list(row.transaction_ids),
        signatures=row.weight,
        needed=row.needed,
        next_attempt=None if row.next_attempt is None else iso(row.next_attempt),
    )


resource = Resource(
    "/api/withdrawals",
    WithdrawalsParameters,
    Withdrawals,
    "Withdrawals and the state of their payouts, newest first.",
    _view,
    group="Account",
)
