"""/api/transfers: ledger entries of an account, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.paging import Cursors
from api.http.parameters import PageParameters, User
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, NextCursor, Part, Time, choice
from settlement.core.accounts import BUCKETS
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import decode
from settlement.store.read.accounts.transfers import TransferRow, list_transfers
from settlement.store.read.paging import Page
from settlement.store.read.venue import find_account


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersParameters(PageParameters):
    user: User


class TransferSide(Part, kw_only=True):
    """A bucket of an account. `escrow` is the counterpart of the tokens on the chain."""

    user: str
    bucket: Annotated[str, choice(*BUCKETS)]


class Transfer(Part, kw_only=True):
    """A double-entry transfer of `amount` from `debit` to `credit`. Every balance change is one."""

    n: Annotated[int, Meta(description="Sequence number among all transfers of the venue, from 1.")]
    block: Block
    ts: Time
    symbol: str
    amount: Amount
    debit: TransferSide
    credit: TransferSide


class Transfers(Answer, kw_only=True):
    transfers: list[Transfer]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, params: TransfersParameters) -> Transfers:
    cursors = Cursors("transfers", params.user)
    before = cursors.read(params.cursor)
    account = find_account(snapshot.connection, params.user)
    page: Page[TransferRow] = Page([], None)
    if account is not None:
        page = list_transfers(snapshot.connection, account, before, params.limit)
    return Transfers(
        *snapshot.stamp,
        transfers=[_transfer(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _transfer(row: TransferRow) -> Transfer:
    return Transfer(
        n=row.n,
        block=row.block,
        ts=iso(row.timestamp),
        symbol=row.symbol,
        amount=show_units(row.amount, row.precision),
        debit=TransferSide(user=decode(row.debit), bucket=BUCKETS[row.debit_bucket]),
        credit=TransferSide(user=decode(row.credit), bucket=BUCKETS[row.credit_bucket]),
    )


resource = Resource(
    "/api/transfers",
    TransfersParameters,
    Transfers,
    "Ledger entries of an account, newest first.",
    _view,
    group="Account",
)
