"""What a payouts process writes down: signed transactions before anybody hears of them, decisions, notes.

None of it is needed to pay nobody twice (see `plan`): it is a second lock on the same door, and it tells
people what happens.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

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

from settlement.payouts.plan import Payment, Ref
from settlement.payouts.signing import Transaction
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.read.payouts import REFUND, WITHDRAWAL, Claim

APPROVED: Final = 0
GIVEN_BACK: Final = 1


class Record(NamedTuple):
    """A signed transaction. `signatures` by public key; they weigh `weight` of `needed`.

    `expires`, `first_sent` and `last_sent` are seconds since 1970 by the chain's time.
    """

    n: int
    id: str
    escrow: str
    slot: int
    expires: int
    transaction: Transaction
    signatures: Mapping[str, str]
    weight: int
    needed: int
    first_sent: int | None
    last_sent: int | None
    answer: str | None
    members: tuple[Ref, ...]

    @property
    def is_complete(self) -> bool:
        """Whether enough have signed."""
        return self.weight >= self.needed


class Settings(NamedTuple):
    """The policy under which was signed last, which claims are held until when, and the pause switch."""

    policy_hash: str | None
    hold_from: int
    hold_until: int
    paused: bool


class Note(NamedTuple):
    """How it is with a pending claim. `next_attempt`: seconds since 1970 by the chain's time."""

    state: str
    reason: str | None
    next_attempt: int | None


def open_records(url: str) -> Engine:
    """The database for a payouts process to write to. What it commits survives a power cut."""
    return open_writer(url, durable=True)


# -- signed transactions --------------------------------------------------------------------------

_t, _m, _w, _r = (
    table.c
    for table in (schema.payout_transactions, schema.payout_members, schema.withdrawals, schema.refunds)
)
_pending_withdrawals = select(_w.n).where(_w.status == schema.PENDING)
_pending_refunds = select(_r.n).where(_r.status == schema.PENDING)
_concerned = select(_m.transaction_n).where(
    or_(
        and_(_m.kind == WITHDRAWAL, _m.claim.in_(_pending_withdrawals)),
        and_(_m.kind == REFUND, _m.claim.in_(_pending_refunds)),
    )
)
_UNSETTLED = select(schema.payout_transactions).where(_t.n.in_(_concerned)).order_by(_t.n)
_MEMBERS = select(schema.payout_members).where(_m.transaction_n.in_(bindparam("numbers", expanding=True)))


def add_record(
    connection: Connection, payment: Payment, signatures: Mapping[str, str], weight: int, needed: int
) -> None:
    """Write down a signed transaction, unless it is there already. Once this is committed, others may hear
    of it."""
    t = schema.payout_transactions
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
    connection.execute(insert(schema.payout_members), members)


def read_record(connection: Connection, ident: str) -> Record | None:
    """The record of a transaction id."""
    t = schema.payout_transactions
    found = _records(connection, connection.execute(select(t).where(t.c.id == ident)).all())
    return found[0] if found else None


def read_records(connection: Connection) -> list[Record]:
    """Those with a claim that is pending, oldest first."""
    return _records(connection, connection.execute(_UNSETTLED).all())


def note_answer(connection: Connection, n: int, time: int, answer: str | None) -> None:
    """That a transaction was sent at that time of the chain, and what was said of it."""
    t = schema.payout_transactions
    first = func.coalesce(t.c.first_sent, time)
    connection.execute(update(t).where(t.c.n == n).values(first_sent=first, last_sent=time, answer=answer))


def _records(connection: Connection, rows: Collection[Row[tuple[object, ...]]]) -> list[Record]:
    members: dict[int, list[Ref]] = {}
    numbers = [row.n for row in rows]
    for kind, claim, n in connection.execute(_MEMBERS, {"numbers": numbers}) if numbers else ():
        members.setdefault(n, []).append((kind, claim))
    return [
        Record(
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
        )
        for row in rows
    ]


def _refs(members: Iterable[Claim]) -> list[Ref]:
    return [claim.ref for claim in members]


# -- what the operator said -----------------------------------------------------------------------


def decide(connection: Connection, claim: Ref, decision: int, since: int | None = None) -> None:
    """Remember what the operator said of a claim, in place of what was said before. `since`: when, by the
    chain."""
    kind, n = claim
    d = schema.payout_decisions
    connection.execute(delete(d).where(d.c.kind == kind, d.c.claim == n))
    connection.execute(insert(d).values(kind=kind, claim=n, decision=decision, since=since))


def read_decisions(connection: Connection) -> dict[Ref, int]:
    """What the operator has said, by claim."""
    d = schema.payout_decisions.c
    return {(kind, n): said for kind, n, said in connection.execute(select(d.kind, d.claim, d.decision))}


def read_stops(connection: Connection) -> dict[Ref, int]:
    """Since when, by the chain, claims are being given back."""
    d = schema.payout_decisions.c
    rows = connection.execute(select(d.kind, d.claim, d.since).where(d.decision == GIVEN_BACK))
    return {(kind, n): since for kind, n, since in rows if since is not None}


# -- settings -------------------------------------------------------------------------------------


def read_settings(connection: Connection) -> Settings:
    """What is kept; for a new database, that nothing has been signed and nothing is held."""
    s = schema.payout_settings.c
    row = connection.execute(select(s.policy_hash, s.hold_from, s.hold_until, s.paused)).one_or_none()
    return Settings(None, 0, 0, False) if row is None else Settings(*row)


def write_settings(connection: Connection, settings: Settings) -> None:
    """Keep them, in place of what was kept before."""
    connection.execute(delete(schema.payout_settings))
    connection.execute(insert(schema.payout_settings).values(id=1, **settings._asdict()))


# -- notes for people -----------------------------------------------------------------------------


def write_notes(connection: Connection, notes: Mapping[Ref, Note | None]) -> None:
    """Write what has changed; None takes a note away."""
    t = schema.payout_notes
    for (kind, n), note in notes.items():
        connection.execute(delete(t).where(t.c.kind == kind, t.c.claim == n))
        if note is not None:
            connection.execute(insert(t).values(kind=kind, claim=n, **note._asdict()))


def read_notes(connection: Connection) -> dict[Ref, Note]:
    """All notes, by claim."""
    t = schema.payout_notes.c
    rows = connection.execute(select(t.kind, t.claim, t.state, t.reason, t.next_attempt))
    return {(kind, n): Note(state, reason, attempt) for kind, n, state, reason, attempt in rows}
