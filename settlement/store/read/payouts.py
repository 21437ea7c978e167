"""What payouts read of the ledger, and what they say of themselves to others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, union_all

from settlement.core.custody import value_text
from settlement.core.payments import default_memo
from settlement.core.parsing.amounts import read_quantity, show_units
from settlement.core.parsing.names import decode
from settlement.store import schema
from settlement.store.read.open_at_block import is_open

WITHDRAWAL: Final = 0
REFUND: Final = 1
KINDS: Final = ("withdrawal", "refund")

MOST_DIGITS: Final = 40
"""More than that in a refund's quantity is no amount of any token."""


class Claim(NamedTuple):
    """Money that the venue owes, or owed. All text is decoded; times are those of blocks, seconds since 1970.

    `quantity` is plain decimal text, None where it is no amount. `value` is the same in the normal form by
    which payments compare. `memo` is the whole memo of its payment, the trader's own if `has_own_memo`.
    `is_plain` tells that the text survives being shown: a stranger's symbol may hold what no text can.
    """

    kind: int
    n: int
    id: str
    account: str
    to: str
    memo: str
    has_own_memo: bool
    symbol: str
    chain: str
    escrow: str
    quantity: str | None
    value: str
    is_plain: bool
    opened: int
    closed: int | None
    is_paid: bool

    @property
    def key(self) -> tuple[str, ...]:
        """What its payment looks like to the chain: claims that agree in it are paid one after the other."""
        return (self.escrow, self.chain, self.symbol, self.value, self.to, self.memo)

    @property
    def ref(self) -> tuple[int, int]:
        """Kind and number: what our own tables call it."""
        return (self.kind, self.n)


class Ledger(NamedTuple):
    """The ledger's rows that payouts are made of, as of one block: `block` and its `timestamp`.

    `claims` are all that are pending, and those closed since `since`; oldest first. `escrows` are all
    escrow accounts.
    """

    block: int
    timestamp: int
    since: int
    claims: tuple[Claim, ...]
    escrows: frozenset[str]


class Reference(NamedTuple):
    """A block of ours that transactions may refer to."""

    number: int
    block_id: str


_c, _b = schema.cursor.c, schema.blocks.c
_w, _r, _t, _a = (table.c for table in (schema.withdrawals, schema.refunds, schema.tokens, schema.accounts))
_opened, _closed = schema.blocks.alias(), schema.blocks.alias()
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
    )
    .join_from(schema.withdrawals, schema.tokens, _w.token_id == _t.id)
    .join(schema.accounts, _w.account_id == _a.id)
    .join(_opened, _w.block == _opened.c.number)
    .outerjoin(_closed, _w.closed_block == _closed.c.number)
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
    """The rows, with what was closed in the last so many seconds before the newest block.

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
    """The newest block of ours whose time is before that; None if there is none."""
    row = connection.execute(_REFERENCE, {"before": before}).one_or_none()
    return None if row is None else Reference(*row)


def _withdrawals(connection: Connection, first: int) -> Iterable[Claim]:
    for row in connection.execute(_WITHDRAWALS, {"first": first}):
        quantity = show_units(row.amount, row.precision)
        yield Claim(
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
            value=value_text(read_quantity(quantity), quantity),
            is_plain=True,
            opened=row.opened,
            closed=row.closed,
            is_paid=row.status == schema.PAID,
        )


def _refunds(connection: Connection, first: int) -> Iterable[Claim]:
    for row in connection.execute(_REFUNDS, {"first": first}):
        yield Claim(
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
            is_plain="%" not in row.account + row.symbol,
            opened=row.opened,
            closed=row.closed,
            is_paid=row.status == schema.PAID,
        )


def _plain(value: str) -> str | None:
    """A value's normal form as plain decimal text; None for zero, and for what is no amount."""
    digits, _, power = value.partition("e")
    if not digits.isdigit() or digits == "0" or len(digits) > MOST_DIGITS:
        return None
    exponent = int(power)
    if not -MOST_DIGITS <= exponent <= MOST_DIGITS:
        return None
    if exponent >= 0:
        return digits + "0" * exponent
    return show_units(int(digits), -exponent)


# -- what payouts say of themselves ----------------------------------------------------------------

QUEUED: Final = "queued"
WAITING_APPROVAL: Final = "waiting_approval"
WAITING_FUNDS: Final = "waiting_funds"
WAITING_ACCOUNT: Final = "waiting_account"
HELD: Final = "held"
SIGNED: Final = "signed"
SENT: Final = "sent"
STATES: Final = (QUEUED, WAITING_APPROVAL, WAITING_FUNDS, WAITING_ACCOUNT, HELD, SIGNED, SENT)
"""States of a pending claim. `held`: it cannot be paid as it is; `reason` tells why."""


class Payout(NamedTuple):
    """How it is with the payment of a claim.

    `state` is one of STATES, or what the ledger says of a closed claim: paid, returned. `transaction_ids` are
    those of all that was signed for it, the newest last; `weight` of `needed` is how far the newest one's
    signatures reach. `next_attempt`: seconds since 1970, by the chain's time.
    """

    state: str
    reason: str | None
    transaction_ids: tuple[str, ...]
    weight: int | None
    needed: int | None
    next_attempt: int | None


def read_payouts(connection: Connection, kind: int, claims: Iterable[int]) -> dict[int, Payout]:
    """How it is with withdrawals (or refunds, as `kind` says) of these numbers. Pending claims of which no
    payouts process has said anything are queued."""
    numbers = list(claims)
    table = schema.withdrawals if kind == WITHDRAWAL else schema.refunds
    t, m, note = schema.payout_transactions.c, schema.payout_members.c, schema.payout_notes.c
    signed: dict[int, list[tuple[str, int, int]]] = {}
    query = (
        select(m.claim, t.id, t.weight, t.needed)
        .join_from(schema.payout_members, schema.payout_transactions, m.transaction_n == t.n)
        .where(m.kind == kind, m.claim.in_(numbers))
        .order_by(t.n)
    )
    for claim, *transaction in connection.execute(query):
        signed.setdefault(claim, []).append(tuple(transaction))
    said = {
        row.claim: row
        for row in connection.execute(
            select(note.claim, note.state, note.reason, note.next_attempt).where(
                note.kind == kind, note.claim.in_(numbers)
            )
        )
    }
    found: dict[int, Payout] = {}
    statuses = select(table.c.n, table.c.status).where(table.c.n.in_(numbers))
    for n, status in connection.execute(statuses):
        transactions = signed.get(n, [])
        ids = tuple(ident for ident, _, _ in transactions)
        weight, needed = transactions[-1][1:] if transactions else (None, None)
        pending = said.get(n) if status == schema.PENDING else None
        state = schema.CLAIM_STATUSES[status] if status != schema.PENDING else QUEUED
        found[n] = Payout(
            state if pending is None else pending.state,
            None if pending is None else pending.reason,
            ids,
            weight,
            needed,
            None if pending is None else pending.next_attempt,
        )
    return found


def is_paused(connection: Connection) -> bool:
    """Whether the operator has paused payouts."""
    return bool(connection.scalar(select(schema.payout_settings.c.paused)))
