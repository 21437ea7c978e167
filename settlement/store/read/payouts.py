"""Claims on the venue (withdrawals and refunds) as payouts need them, and the state of their payment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, null, select, union_all

from settlement.core.custody import value_text
from settlement.core.parsing.amounts import read_quantity, show_units
from settlement.core.parsing.names import decode
from settlement.core.payments import default_memo
from settlement.store import payout_schema, schema
from settlement.store.read.open_at_block import is_open

WITHDRAWAL: Final = 0
REFUND: Final = 1
KINDS: Final = ("withdrawal", "refund")

MAX_DIGITS: Final = 40
"""A refund's quantity with more digits is not a valid amount of any token."""


class PayoutClaim(NamedTuple):
    """A withdrawal or refund, pending or closed. Text is decoded; times are block times (since 1970)."""

    kind: int  # WITHDRAWAL or REFUND
    n: int
    id: str
    account: str
    to: str
    memo: str  # of the payment
    has_own_memo: bool  # the trader's memo, not the default one
    symbol: str
    chain: str
    escrow: str
    quantity: str | None  # plain decimal text; None if it is not a valid amount
    value: str  # the quantity in normal form, for comparison with payments
    opened: int
    closed: int | None
    is_paid: bool
    returning: int | None = None  # when its return was asked for; of withdrawals only
    return_due: int | None = None  # when it is returned

    @property
    def payment_key(self) -> tuple[str, ...]:
        """What identifies its payment on the chain: claims that agree in it are paid one after the other."""
        return (self.escrow, self.chain, self.symbol, self.value, self.to, self.memo)

    @property
    def ref(self) -> tuple[int, int]:
        """Kind and number: the key in the payout tables."""
        return (self.kind, self.n)


class Ledger(NamedTuple):
    """The claims as of a block."""

    block: int
    timestamp: int
    since: int  # closed claims are included from this time on
    claims: tuple[PayoutClaim, ...]  # all pending ones and the recently closed ones, oldest first
    escrows: frozenset[str]  # all escrow accounts


class Reference(NamedTuple):
    """An active block that transactions can refer to (`ref_block`)."""

    number: int
    block_id: str


_c, _b = schema.cursor.c, schema.blocks.c
_w, _r, _t, _a = (table.c for table in (schema.withdrawals, schema.refunds, schema.tokens, schema.accounts))
_opened, _closed, _returning = (schema.blocks.alias() for _ in range(3))
_TIMES = (_opened.c.timestamp.label("opened"), _closed.c.timestamp.label("closed"))
_CURSOR = select(_c.block, _c.block_id, _c.timestamp)
_REFERENCE = (
    select(_b.number, _b.block_id)
    .where(_b.timestamp < bindparam("before"))
    .order_by(_b.number.desc())
    .limit(1)
)
_ALL_WITHDRAWALS = (
    select(
        *(_w.n, _w.id, _w.amount, _w.to, _w.memo, _w.status, _a.name),
        *(_t.symbol, _t.precision, _t.chain, _t.escrow, *_TIMES),
        *(_returning.c.timestamp.label("asked"), _w.return_due),
    )
    .join_from(schema.withdrawals, schema.tokens, _w.token_id == _t.id)
    .join(schema.accounts, _w.account_id == _a.id)
    .join(_opened, _w.block == _opened.c.number)
    .outerjoin(_closed, _w.closed_block == _closed.c.number)
    .outerjoin(_returning, _w.returning_block == _returning.c.number)
)
_ALL_REFUNDS = (
    select(schema.refunds, *_TIMES)
    .join(_opened, _r.block == _opened.c.number)
    .outerjoin(_closed, _r.closed_block == _closed.c.number)
)
_WITHDRAWALS = union_all(
    _ALL_WITHDRAWALS.where(is_open(_w.status)),
    _ALL_WITHDRAWALS.where(_w.closed_block >= bindparam("first")),
)
_REFUNDS = union_all(
    _ALL_REFUNDS.where(is_open(_r.status)), _ALL_REFUNDS.where(_r.closed_block >= bindparam("first"))
)
_ESCROWS = select(_t.escrow).distinct()


def read_ledger(connection: Connection, history_seconds: int) -> Ledger | None:
    """Pending claims, and those closed in the last `history_seconds` before the newest block.

    None before the first block.
    """
    cursor = connection.execute(_CURSOR).one_or_none()
    if cursor is None or cursor.block_id is None:
        return None
    since = cursor.timestamp - history_seconds
    before = read_reference(connection, since)
    first = 0 if before is None else before.number + 1
    claims = [*_withdrawals(connection, first), *_refunds(connection, first)]
    claims.sort(key=lambda claim: (claim.opened, claim.kind, claim.n))
    escrows = frozenset(connection.scalars(_ESCROWS))
    return Ledger(cursor.block, cursor.timestamp, since, tuple(claims), escrows)


def read_reference(connection: Connection, before: int) -> Reference | None:
    """The newest active block before a time; None if there is none."""
    row = connection.execute(_REFERENCE, {"before": before}).one_or_none()
    return None if row is None else Reference(*row)


def _withdrawals(connection: Connection, first: int) -> Iterable[PayoutClaim]:
    for row in connection.execute(_WITHDRAWALS, {"first": first}):
        quantity = show_units(row.amount, row.precision)
        parsed = read_quantity(quantity)
        assert parsed is not None
        yield PayoutClaim(
            kind=WITHDRAWAL,
            n=row.n,
            id=row.id,
            account=decode(row.name),
            to=decode(row.to),
            memo=decode(default_memo(row.id) if row.memo is None else row.memo),
            has_own_memo=row.memo is not None,
            symbol=row.symbol,
            chain=row.chain,
            escrow=row.escrow,
            quantity=quantity,
            value=value_text(parsed),
            opened=row.opened,
            closed=row.closed,
            is_paid=row.status == schema.PAID,
            returning=row.asked,
            return_due=row.return_due,
        )


def _refunds(connection: Connection, first: int) -> Iterable[PayoutClaim]:
    for row in connection.execute(_REFUNDS, {"first": first}):
        yield PayoutClaim(
            kind=REFUND,
            n=row.n,
            id=row.id,
            account=decode(row.account),
            to=decode(row.account),
            memo=decode(default_memo(row.id)),
            has_own_memo=False,
            symbol=decode(row.symbol),
            chain=row.chain,
            escrow=row.escrow,
            quantity=_plain(row.value),
            value=row.value,
            opened=row.opened,
            closed=row.closed,
            is_paid=row.status == schema.PAID,
        )


def _plain(value: str) -> str | None:
    """A value in normal form as plain decimal text; None for zero and for invalid amounts."""
    digits, _, power = value.partition("e")
    if not digits.isdigit() or digits == "0" or len(digits) > MAX_DIGITS:
        return None
    exponent = int(power)
    if not -MAX_DIGITS <= exponent <= MAX_DIGITS:
        return None
    if exponent >= 0:
        return digits + "0" * exponent
    return show_units(int(digits), -exponent)


# -- payment states ---------------------------------------------------------------------------------

QUEUED: Final = "queued"
WAITING_APPROVAL: Final = "waiting_approval"
WAITING_FUNDS: Final = "waiting_funds"
WAITING_ACCOUNT: Final = "waiting_account"
HELD: Final = "held"
SIGNED: Final = "signed"
SENT: Final = "sent"
RETURNING: Final = "returning"
STATES: Final = (QUEUED, WAITING_APPROVAL, WAITING_FUNDS, WAITING_ACCOUNT, HELD, SIGNED, SENT, RETURNING)
"""States of a pending claim. A `held` claim cannot be paid as it is; `reason` says why. For a `returning` one
nothing more is signed."""


class Payout(NamedTuple):
    """State of the payment of a claim."""

    state: str  # one of STATES; of a closed claim paid or returned
    reason: str | None
    transaction_ids: tuple[str, ...]  # of all signed transactions, the newest last
    weight: int | None  # of the newest transaction's signatures
    needed: int | None  # weight required
    next_attempt: int | None  # chain time, seconds since 1970


def read_payouts(connection: Connection, kind: int, claims: Iterable[int]) -> dict[int, Payout]:
    """Payment states of the withdrawals, or refunds, with these numbers.

    A pending claim without a status of a payouts process is queued, or returning.
    """
    numbers = list(claims)
    table = schema.withdrawals if kind == WITHDRAWAL else schema.refunds
    return_due = (_w.return_due if kind == WITHDRAWAL else null()).label("return_due")
    t, m, note = payout_schema.transactions.c, payout_schema.members.c, payout_schema.notes.c
    query = (
        select(m.claim, t.id, t.weight, t.needed)
        .join_from(payout_schema.members, payout_schema.transactions, m.transaction_n == t.n)
        .where(m.kind == kind, m.claim.in_(numbers))
        .order_by(t.n)
    )
    signed: defaultdict[int, list[Any]] = defaultdict(list)
    for transaction in connection.execute(query):
        signed[transaction.claim].append(transaction)
    query = (
        select(table.c.n, table.c.status, return_due, note.state, note.reason, note.next_attempt)
        .outerjoin(payout_schema.notes, (note.kind == kind) & (note.claim == table.c.n))
        .where(table.c.n.in_(numbers))
    )
    payouts: dict[int, Payout] = {}
    for row in connection.execute(query):
        transactions = signed[row.n]
        newest = transactions[-1] if transactions else None
        is_pending = row.status == schema.PENDING
        state = RETURNING if row.return_due is not None else row.state or QUEUED
        payouts[row.n] = Payout(
            state=state if is_pending else schema.CLAIM_STATUSES[row.status],
            reason=row.reason if is_pending and state == row.state else None,
            transaction_ids=tuple(transaction.id for transaction in transactions),
            weight=None if newest is None else newest.weight,
            needed=None if newest is None else newest.needed,
            next_attempt=row.next_attempt if is_pending and state == row.state else None,
        )
    return payouts


def is_paused(connection: Connection) -> bool:
    """Whether the operator has paused payouts."""
    return bool(connection.scalar(select(payout_schema.settings.c.pause)))
