"""The loop: what is due is signed, written down, sent, and waited for until the indexer reads it.

The order of things is what matters here, so each has a name that tests stop at: see `STEPS`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from settlement.core.journal.text import iso_time
from settlement.core.venue import Venue
from settlement.payouts.approvals import View, objection, read_view, waiting
from settlement.payouts.chain import ChainError
from settlement.payouts.chain_time import latest
from settlement.payouts.escrow_funds import Chain, free_amounts, place_of
from settlement.payouts.payout_log import (
    GIVEN_BACK,
    Note,
    Record,
    Settings,
    add_record,
    note_answer,
    read_decisions,
    read_notes,
    read_records,
    read_settings,
    write_notes,
    write_settings,
)
from settlement.payouts.plan import Payment, Ref, amount, slot_time
from settlement.payouts.policy import LONGEST_SECONDS, Policy
from settlement.payouts.send_limits import Pace, Room
from settlement.payouts.signing import Signed, SigningError, Transaction
from settlement.store import schema
from settlement.store.database import explain
from settlement.store.read.payouts import (
    HELD,
    KINDS,
    QUEUED,
    SENT,
    SIGNED,
    WAITING_ACCOUNT,
    WAITING_APPROVAL,
    WAITING_FUNDS,
    Claim,
)

STEPS: Final = (
    *("start", "hold", "held"),
    *("read", "judged", "sign", "signed", "record", "recorded"),
    *("send", "sent", "answered", "note", "noted"),
)
"""In this order: before and after each thing that a crash may separate from the next."""
POLL_SECONDS: Final = 1.0
LATEST_SECONDS: Final = 15
"""A transaction with less time to live than that is not begun with: the next attempt is."""
RESEND_SECONDS: Final = 30
"""By the chain's time. What is not in a block by then, as far as we have read, is sent once more."""
REFRESH_SECONDS: Final = 300
"""By the chain's time. How often keys are compared with the accounts' authorities."""
MISSING_SECONDS: Final = 60
"""By the chain's time. How often it is asked whether a missing account is there by now."""
IDLE_SECONDS: Final = 5.0
"""A round is made for each block that the ledger reads, and after so long without one."""
NAMES_A_CALL: Final = 500
_WAITING: Final = (WAITING_APPROVAL, WAITING_ACCOUNT, WAITING_FUNDS)

log = logging.getLogger("peakedex.payouts")


class Signing(Protocol):
    """Our keys (`authority.Signers`): what they are good for, and when signatures are enough."""

    def can_sign(self, escrow: str) -> bool: ...
    def sign(self, escrow: str, transaction: Transaction) -> Mapping[str, str]: ...
    def enough(self, escrow: str, signatures: Mapping[str, str]) -> tuple[str, ...] | None: ...
    def weight(self, escrow: str, publics: Collection[str]) -> tuple[int, int]: ...


class Parts(NamedTuple):
    """What a runner works with. `reader` may be read-only; `writer` is `records.open_records`.

    `guard` raises where another process has taken over. `refresh` compares keys with the chain. `step` is
    called with the names of STEPS.
    """

    reader: Engine
    writer: Engine
    chain: Chain
    signing: Signing
    guard: Callable[[], object] = lambda: None
    refresh: Callable[[], object] = lambda: None
    step: Callable[[str], object] = lambda _: None


class Runner:
    """Pays what the ledger owes. Call `start` once, then `round` again and again, or `run`."""

    def __init__(self, parts: Parts, venue: Venue, policy: Policy) -> None:
        self._parts = parts
        self._venue = venue
        self._policy = policy
        self._step = parts.step
        self._notes: dict[Ref, Note] = {}
        self._existing: set[str] = set()
        self._missing: dict[str, int] = {}
        self._block = 0
        self._refreshed: int | None = None
        self._trouble = ""

    def run(self, stop: threading.Event, poll_seconds: float = POLL_SECONDS) -> None:
        """Until the event is set. Nodes and a database that fail for a while are waited for."""
        idle = IDLE_SECONDS
        while not stop.wait(poll_seconds):
            idle += poll_seconds
            try:
                if idle >= IDLE_SECONDS or self._has_moved():
                    idle = 0.0
                    self.round()
                self._trouble = ""
            except (ChainError, SQLAlchemyError) as error:
                self._complain(explain(error) if isinstance(error, SQLAlchemyError) else str(error))

    def _has_moved(self) -> bool:
        with self._parts.reader.connect() as connection:
            return connection.scalar(select(schema.cursor.c.block)) != self._block

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("waiting: %s", trouble)
        self._trouble = trouble

    # -- the start -------------------------------------------------------------------------------

    def start(self, *, first_run: bool = False, hold: bool = False, longest: int = LONGEST_SECONDS) -> None:
        """Hold what another policy may have signed before, until that has expired.

        `first_run`: nobody has ever signed payouts of this venue, so nothing is held where no policy is
        recorded. `hold`: hold it though the policy that is recorded is this one. `longest`: seconds that
        any policy's transactions can live. Raises ChainError if no node tells the time.
        """
        self._step("start")
        with self._parts.writer.connect() as connection:
            before = read_settings(connection)
            self._notes = read_notes(connection)
        wanted = self._policy.hash(self._venue)
        if before.policy_hash == wanted and not hold:
            return
        hold_from, hold_until = before.hold_from, before.hold_until
        if not (first_run and before.policy_hash is None):
            head = self._parts.chain.head_time()
            with self._parts.reader.connect() as connection:
                hold_from = max(latest(connection, head), hold_from)
            hold_until = max(hold_from + longest, hold_until)
            log.warning(
                "another policy may have signed before: what was asked for until %s waits until %s, by the "
                "chain's time",
                *map(_utc, (hold_from, hold_until)),
            )
        self._step("hold")
        with self._parts.writer.begin() as connection:
            paused = read_settings(connection).paused
            write_settings(connection, Settings(wanted, hold_from, hold_until, paused))
        self._step("held")

    # -- a round ---------------------------------------------------------------------------------

    def round(self) -> None:
        """Look once at the ledger, and do what it demands. Raises ChainError, SQLAlchemyError."""
        parts = self._parts
        parts.guard()
        self._step("read")
        with parts.reader.connect() as connection:
            view = read_view(connection, self._venue, self._policy)
        if view is None:
            return
        self._block = view.ledger.block
        looks = Counter(claim.key for claim in view.ledger.claims)
        notes = {
            claim.ref: self._first_note(claim, view, looks[claim.key] > 1) for claim in view.pending.values()
        }
        if (view.payments or view.records) and not view.settings.paused:
            head = parts.chain.head_time()
            self._refresh(head)
            for payment, signatures in self._sign(view, head, notes):
                self._record(payment, signatures)
            self._send(view, head, notes)
        self._write(notes, view)

    def _refresh(self, head: int) -> None:
        if self._refreshed is None or head - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = head
            self._parts.refresh()

    def _first_note(self, claim: Claim, view: View, is_alike: bool) -> Note:
        """How it is with a claim, before anything is done."""
        note = waiting(claim, view, self._policy, is_alike)
        if note.state != QUEUED:
            return note
        if view.settings.paused:
            return note._replace(reason="payouts are paused")
        if not self._parts.signing.can_sign(claim.escrow):
            return Note(QUEUED, f"no key signs for {claim.escrow} here", None)
        last = self._notes.get(claim.ref)  # between two attempts it still is as it was with the last one
        return last if last is not None and last.state in _WAITING else note

    # -- signing ---------------------------------------------------------------------------------

    def _sign(self, view: View, head: int, notes: dict[Ref, Note]) -> list[tuple[Payment, Mapping[str, str]]]:
        """The payments that are to be signed now, with our signatures; why not, for all others."""
        there = {record.id for record in view.records}
        wanted: list[Payment] = []
        for payment in view.payments:
            if payment.id in there or not self._parts.signing.can_sign(payment.escrow):
                continue
            note = objection(payment, view, self._policy)
            if note is None and payment.transaction.expires - head < LATEST_SECONDS:
                note = Note(QUEUED, None, slot_time(payment.slot + self._policy.period))
            if note is None:
                wanted.append(payment)
            else:
                notes |= {claim.ref: note for claim in payment.members if claim.closed is None}
        self._step("judged")
        signed: list[tuple[Payment, Mapping[str, str]]] = []
        room = Room(view.live_records())
        for payment in self._funded(self._addressed(wanted, head, notes), view, notes):
            if not room.take(payment.escrow):
                continue
            self._step("sign")
            try:
                signed.append((payment, self._parts.signing.sign(payment.escrow, payment.transaction)))
            except SigningError as error:
                notes |= {claim.ref: Note(HELD, str(error), None) for claim in payment.members}
            self._step("signed")
        return signed

    def _addressed(self, payments: Sequence[Payment], head: int, notes: dict[Ref, Note]) -> list[Payment]:
        """Those whose recipients exist. Who has signed a withdrawal does; whom it names may not."""
        names = set().union(*map(_strangers, payments)) - self._existing
        asked = sorted(name for name in names if head - self._missing.get(name, 0) >= MISSING_SECONDS)
        for at in range(0, len(asked), NAMES_A_CALL):
            some = asked[at : at + NAMES_A_CALL]
            self._existing |= set(self._parts.chain.accounts(some))
            self._missing |= dict.fromkeys(some, head)
        self._missing = {name: when for name, when in self._missing.items() if name in names - self._existing}
        there = []
        for payment in payments:
            missing = _strangers(payment) - self._existing
            if missing:
                note = Note(WAITING_ACCOUNT, f"there is no account {min(missing)} on Hive", None)
                notes |= {claim.ref: note for claim in payment.members}
            else:
                there.append(payment)
        return there

    def _funded(self, payments: Sequence[Payment], view: View, notes: dict[Ref, Note]) -> list[Payment]:
        """Those that the accounts can pay, beside all that is signed and not settled yet; oldest first."""
        if not payments:
            return []
        free = free_amounts(payments, view, self._parts.chain)
        able = []
        for payment in payments:
            claim, total = payment.members[0], sum(map(amount, payment.members), Fraction())
            place = place_of(claim)
            if total > free[place]:
                note = Note(WAITING_FUNDS, f"{claim.escrow} holds too little {claim.symbol} now", None)
                notes |= {claim.ref: note for claim in payment.members}
            else:
                free[place] -= total
                able.append(payment)
        return able

    def _record(self, payment: Payment, signatures: Mapping[str, str]) -> None:
        """Commit the signed transaction. Nobody has heard of it before.

        If the operator has stopped it since we looked, it is forgotten: `payouts return` relies on that.
        """
        weight, needed = self._parts.signing.weight(payment.escrow, signatures)
        self._parts.guard()
        self._step("record")
        with self._parts.writer.begin() as connection:
            decisions = read_decisions(connection)
            if any(decisions.get(claim.ref) == GIVEN_BACK for claim in payment.members):
                return
            add_record(connection, payment, signatures, weight, needed)
        self._step("recorded")
        log.info(
            "signed %s: %s payments from %s, expires %sZ",
            *(payment.id, len(payment.members), payment.escrow, payment.transaction.expiration),
        )

    # -- sending ---------------------------------------------------------------------------------

    def _send(self, view: View, head: int, notes: dict[Ref, Note]) -> None:
        """Send what is signed by enough, and was not sent lately; say how it is with all that is signed."""
        with self._parts.reader.connect() as connection:
            records = [r for r in read_records(connection) if r.expires >= view.ledger.timestamp]
        pace = Pace(records)
        for record in records:
            claims = [view.pending.get(ref) for ref in record.members]
            reason = record.answer
            if None not in claims and self._may_send(record, view, head):
                reason = self._send_one(record, head, pace)
                record = record._replace(last_sent=pace.last_sent(record))
            for claim in claims:
                if claim is not None:
                    notes[claim.ref] = self._signed_note(record, reason)

    def _may_send(self, record: Record, view: View, head: int) -> bool:
        if any(view.decisions.get(ref) == GIVEN_BACK for ref in record.members):
            return False
        is_due = record.last_sent is None or head - record.last_sent >= RESEND_SECONDS
        return record.is_complete and is_due and record.expires > head

    def _send_one(self, record: Record, head: int, pace: Pace) -> str | None:
        """What is to be said of it: None where a node has taken it."""
        signatures = self._parts.signing.enough(record.escrow, record.signatures)
        if signatures is None:
            return "its signatures are not enough any more"
        if not pace.admits(record, head):
            return None
        self._parts.guard()
        self._step("send")
        outcome = self._parts.chain.broadcast(Signed(record.transaction, signatures))
        self._step("sent")
        answer = None if outcome.status == "sent" else f"{outcome.status}: {outcome.reason}"
        with self._parts.writer.begin() as connection:
            note_answer(connection, record.n, head, answer)
        pace.sent(record, head)
        self._step("answered")
        if answer is not None:
            log.warning("sent %s, %s", record.id, answer)
        return answer

    def _signed_note(self, record: Record, reason: str | None) -> Note:
        next_attempt = slot_time(record.slot + self._policy.period)
        if record.last_sent is not None:
            return Note(SENT, reason, next_attempt)
        if not record.is_complete:
            reason = f"signatures weigh {record.weight} of {record.needed}"
        return Note(SIGNED, reason, next_attempt)

    # -- notes -----------------------------------------------------------------------------------

    def _write(self, notes: Mapping[Ref, Note], view: View) -> None:
        """Write what has changed, for people."""
        gone: dict[Ref, Note | None] = dict.fromkeys(self._notes.keys() - notes.keys())
        changed = {ref: note for ref, note in notes.items() if self._notes.get(ref) != note}
        if not gone and not changed:
            return
        self._step("note")
        with self._parts.writer.begin() as connection:
            write_notes(connection, gone | changed)
        self._step("noted")
        for ref, note in changed.items():
            before = self._notes.get(ref)
            is_new = before is None or before.state != note.state
            if is_new and note.state in (HELD, *_WAITING):
                claim = view.pending[ref]
                log.warning("%s %s is not paid: %s", KINDS[claim.kind], claim.id, note.reason)
        self._notes = dict(notes)


def _strangers(payment: Payment) -> set[str]:
    """Recipients who have not signed anything that we have read."""
    return {claim.to for claim in payment.members if claim.to != claim.account}


def _utc(seconds: int) -> str:
    return f"{iso_time(seconds)}Z"
