"""Payout log: signed transactions, refusals, approvals, settings and statuses of the payouts process.

At-most-once payment does not depend on it (see `plan`): it is a second safeguard, and it shows operators and
users what happens.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from settlement.payouts.plan import ClaimRef, Payment
from settlement.payouts.signing.transactions import Transaction
from settlement.store import payout_schema, schema
from settlement.store.database import open_writer
from settlement.store.payout_pause import NEW_SETTINGS, RUNNING
from settlement.store.read.payouts import REFUND, WITHDRAWAL, PayoutClaim


class PayoutRecord(NamedTuple):
    """A signed transaction. Times are chain time, in seconds since 1970."""

    n: int  # number in the table
    id: str  # transaction id
    escrow: str
    slot: int
    expires: int
    transaction: Transaction
    signatures: Mapping[str, str]  # by public key
    weight: int  # of the signatures
    needed: int  # the account's threshold
    first_sent: int | None
    last_sent: int | None
    answer: str | None  # of the last broadcast; None where it was accepted
    members: tuple[ClaimRef, ...]  # the claims that it pays
    # Once the ledger has read its block: errors of the members that were not settled. Else empty.
    refusals: Mapping[ClaimRef, str]

    @property
    def is_complete(self) -> bool:
        """Whether the signatures reach the threshold."""
        return self.weight >= self.needed

    @property
    def is_token_payment(self) -> bool:
        """Whether it pays tokens, not coins."""
        return self.transaction.operations[0][0] == "custom_json"


class PayoutSettings(NamedTuple):
    """State of the payouts process. Times are chain time, in seconds since 1970."""

    policy_hash: str | None  # of the policy that was last signed under; None before the first start
    hold_from: int  # claims opened up to this time are held …
    hold_until: int  # … until the ledger has read past this one
    pause: int  # see `payout_pause`

    @property
    def paused(self) -> bool:
        """Whether nothing is signed or sent."""
        return self.pause != RUNNING


class PayoutStatus(NamedTuple):
    """Payout status of a pending claim."""

    state: str  # one of `store.read.payouts.STATES`
    reason: str | None
    next_attempt: int | None  # start of its next turn: chain time, in seconds since 1970


Statuses = dict[ClaimRef, PayoutStatus]


def open_payout_log(url: str) -> Engine:
    """Write access for a payouts process. Commits are durable: they survive a power failure."""
    return open_writer(url, durable=True)


# -- signed transactions --------------------------------------------------------------------------

_t, _m, _w, _r = (
    table.c
    for table in (payout_schema.transactions, payout_schema.members, schema.withdrawals, schema.refunds)
)
_pending_withdrawals = select(_w.n).where(_w.status == schema.PENDING)
_pending_refunds = select(_r.n).where(_r.status == schema.PENDING)
_concerned = select(_m.transaction_n).where(
    or_(
        and_(_m.kind == WITHDRAWAL, _m.claim.in_(_pending_withdrawals)),
        and_(_m.kind == REFUND, _m.claim.in_(_pending_refunds)),
    )
)
_UNSETTLED = select(payout_schema.transactions).where(_t.n.in_(_concerned)).order_by(_t.n)
_MEMBERS = select(payout_schema.members).where(_m.transaction_n.in_(bindparam("numbers", expanding=True)))
_REFUSALS = select(payout_schema.refusals).where(
    payout_schema.refusals.c.transaction_n.in_(bindparam("numbers", expanding=True))
)


def add_record(
    connection: Connection, payment: Payment, signatures: Mapping[str, str], weight: int, needed: int
) -> None:
    """Insert a signed transaction, unless it is recorded already. It may be sent only after the commit."""
    t = payout_schema.transactions
    if connection.execute(select(t.c.n).where(t.c.id == payment.id)).one_or_none() is not None:
        return
    n = (connection.scalar(select(func.max(t.c.n))) or 0) + 1
    connection.execute(
        insert(t).values(
            n=n,
            id=payment.id,
            escrow=payment.escrow,
            slot=payment.slot,
            expires=payment.transaction.expires,
            transaction=json.dumps(payment.transaction.to_json()),
            signatures=json.dumps(dict(signatures)),
            weight=weight,
            needed=needed,
        )
    )
    members = [{"kind": kind, "claim": claim, "transaction_n": n} for kind, claim in _refs(payment.members)]
    connection.execute(insert(payout_schema.members), members)


def read_record(connection: Connection, ident: str) -> PayoutRecord | None:
    """The record with a transaction id."""
    t = payout_schema.transactions
    found = _records(connection, connection.execute(select(t).where(t.c.id == ident)).all())
    return found[0] if found else None


def read_records(connection: Connection) -> list[PayoutRecord]:
    """The records with a pending claim, oldest first."""
    return _records(connection, connection.execute(_UNSETTLED).all())


def record_answer(connection: Connection, n: int, time: int, answer: str | None) -> None:
    """Record that a transaction was sent at a chain time, and the node's answer (None: accepted)."""
    t = payout_schema.transactions
    first = func.coalesce(t.c.first_sent, time)
    connection.execute(update(t).where(t.c.n == n).values(first_sent=first, last_sent=time, answer=answer))


def record_refusals(connection: Connection, n: int, refusals: Mapping[ClaimRef, str]) -> None:
    """Record the errors of the members that an executed transaction did not settle."""
    rows = [
        {"transaction_n": n, "kind": kind, "claim": claim, "reason": reason}
        for (kind, claim), reason in refusals.items()
    ]
    connection.execute(delete(payout_schema.refusals).where(payout_schema.refusals.c.transaction_n == n))
    connection.execute(insert(payout_schema.refusals), rows)


def _records(connection: Connection, rows: Collection[Row[tuple[object, ...]]]) -> list[PayoutRecord]:
    members: defaultdict[int, list[ClaimRef]] = defaultdict(list)
    refusals: defaultdict[int, dict[ClaimRef, str]] = defaultdict(dict)
    numbers = {"numbers": [row.n for row in rows]}
    for kind, claim, n in connection.execute(_MEMBERS, numbers) if rows else ():
        members[n].append((kind, claim))
    for n, kind, claim, reason in connection.execute(_REFUSALS, numbers) if rows else ():
        refusals[n][kind, claim] = reason
    return [
        PayoutRecord(
            n=row.n,
            id=row.id,
            escrow=row.escrow,
            slot=row.slot,
            expires=row.expires,
            transaction=Transaction.of_json(json.loads(row.transaction)),
            signatures=json.loads(row.signatures),
            weight=row.weight,
            needed=row.needed,
            first_sent=row.first_sent,
            last_sent=row.last_sent,
            answer=row.answer,
            members=tuple(members[row.n]),
            refusals=refusals[row.n],
        )
        for row in rows
    ]


def _refs(members: Iterable[PayoutClaim]) -> list[ClaimRef]:
    return [claim.ref for claim in members]


# -- approvals --------------------------------------------------------------------------------------


def approve_claim(connection: Connection, claim: ClaimRef, since: int) -> None:
    """Approve a claim at a chain time: limits do not apply, and earlier refusals no longer count."""
    kind, n = claim
    a = payout_schema.approvals
    connection.execute(delete(a).where(a.c.kind == kind, a.c.claim == n))
    connection.execute(insert(a).values(kind=kind, claim=n, since=since))


def read_approvals(connection: Connection) -> dict[ClaimRef, int]:
    """Approved claims, with the chain time of the approval."""
    a = payout_schema.approvals.c
    return {(kind, n): since for kind, n, since in connection.execute(select(a.kind, a.claim, a.since))}


def approve_token(connection: Connection, token_id: int) -> None:
    """Allow payments of a token that was listed on the chain."""
    a = payout_schema.token_approvals
    connection.execute(delete(a).where(a.c.token_id == token_id))
    connection.execute(insert(a).values(token_id=token_id))


def read_token_approvals(connection: Connection) -> frozenset[int]:
    """The approved tokens, by their number in order of listing."""
    return frozenset(connection.scalars(select(payout_schema.token_approvals.c.token_id)))


# -- settings -------------------------------------------------------------------------------------


def read_settings(connection: Connection) -> PayoutSettings:
    """The stored settings; defaults for a new database: nothing signed, nothing held."""
    s = payout_schema.settings.c
    row = connection.execute(select(s.policy_hash, s.hold_from, s.hold_until, s.pause)).one_or_none()
    return PayoutSettings(None, 0, 0, RUNNING) if row is None else PayoutSettings(*row)


def write_policy(connection: Connection, policy_hash: str, hold_from: int, hold_until: int) -> None:
    """Record the policy that is signed under from now on, and what is held because of earlier ones."""
    s = payout_schema.settings
    values = {"policy_hash": policy_hash, "hold_from": hold_from, "hold_until": hold_until}
    if not connection.execute(update(s).values(values)).rowcount:
        connection.execute(insert(s).values({**NEW_SETTINGS, **values}))


# -- statuses -----------------------------------------------------------------------------


def write_statuses(connection: Connection, statuses: Mapping[ClaimRef, PayoutStatus | None]) -> None:
    """Write changed statuses; None deletes one."""
    t = payout_schema.notes
    for (kind, n), status in statuses.items():
        connection.execute(delete(t).where(t.c.kind == kind, t.c.claim == n))
        if status is not None:
            connection.execute(insert(t).values(kind=kind, claim=n, **status._asdict()))


def read_statuses(connection: Connection) -> dict[ClaimRef, PayoutStatus]:
    """All statuses, by claim."""
    t = payout_schema.notes.c
    rows = connection.execute(select(t.kind, t.claim, t.state, t.reason, t.next_attempt))
    return {(kind, n): PayoutStatus(state, reason, attempt) for kind, n, state, reason, attempt in rows}
