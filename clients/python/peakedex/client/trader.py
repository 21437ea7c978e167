"""Trader: signs intents, sends them, and follows each one to its end, also across restarts.

An intent is in the journal before it is sent, and only these bytes are ever sent for it, to as many nodes and
as often as it takes. So a lost, late or repeated answer, or a kill at any point, makes no second order.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

from peakedex.client.api import Api
from peakedex.client.errors import ApiError, ConnectionFailed, InputError, NodesFailed, ReferenceUsed
from peakedex.client.intents import Intent, Intents, custom_json_text
from peakedex.client.journal import KEEP, Journal, Signed
from peakedex.client.models import Health, IntentResult, Venue
from peakedex.client.nodes import HiveNodes
from peakedex.client.signing import Signer, Transaction, signed_json
from peakedex.client.tickets import State, Ticket

EXPIRES_SECONDS: Final = 60
RESEND_SECONDS: Final = 4.0
POLL_SECONDS: Final = 1.0

log = logging.getLogger("peakedex.client")


@dataclass(slots=True)
class _Sending:
    """A transaction whose end is not known."""

    signed: Signed
    tickets: tuple[Ticket, ...]
    sent_at: float | None = None  # monotonic seconds; None: not by this process
    looked_at: int | None = None  # block of the API at which its record had nothing of it
    past_block: int | None = None  # a block of the API after which it cannot be included


class Trader:
    """An account that trades, or a bot that trades for `acting_for` under a grant. Not thread-safe.

    `journal` is a file that only this trader uses; it must outlive the process. `expires_in` is how many
    seconds a signed transaction may take to get into a block, `keep` how many ended transactions the journal
    remembers at least. `sleep` is replaced by tests.
    """

    def __init__(
        self,
        api: Api,
        nodes: HiveNodes,
        signer: Signer,
        journal: str | PathLike[str],
        *,
        acting_for: str | None = None,
        expires_in: int = EXPIRES_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        resend_seconds: float = RESEND_SECONDS,
        keep: int = KEEP,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Opens the journal. Raises JournalError and InputError; asks no server."""
        if not 5 <= expires_in <= 3600:
            raise InputError("expires_in", "must be 5 to 3600 seconds")
        self.api = api
        self._nodes = nodes
        self._signer = signer
        self._acting_for = acting_for
        self._expires_in = expires_in
        self._poll_seconds = poll_seconds
        self._resend_seconds = resend_seconds
        self._sleep = sleep
        self._venue: Venue | None = None
        self._journal = Journal(journal, signer.account, keep)
        self._tickets: dict[str, Ticket] = {}  # by ref
        self._open: dict[str, _Sending] = {}  # by transaction id
        for signed in self._journal.transactions.values():
            self._adopt(signed)

    def __repr__(self) -> str:
        return f"Trader({self._signer.account!r}, acting_for={self._acting_for!r})"

    @property
    def account(self) -> str:
        """The account whose orders and balances these are."""
        return self._acting_for or self._signer.account

    @property
    def venue(self) -> Venue:
        """The venue's rules, read once; see `refresh_venue`."""
        return self._venue or self.refresh_venue()

    @property
    def build(self) -> Intents:
        """Builder of intents for this venue and account."""
        return Intents(self.venue, self._acting_for)

    @property
    def tickets(self) -> list[Ticket]:
        """The intents that the journal remembers, oldest first."""
        return list(self._tickets.values())

    @property
    def open_tickets(self) -> list[Ticket]:
        """Intents whose outcome is not known."""
        return [ticket for sending in self._open.values() for ticket in sending.tickets]

    def refresh_venue(self) -> Venue:
        """Read the venue's rules again, after a pair was listed or changed."""
        self._venue = self.api.venue()
        return self._venue

    # -- sending ---------------------------------------------------------------------------------------

    def place(self, intent: Intent) -> Ticket:
        """Sign and send one intent. See `send`."""
        return self.send(intent)[0]

    def send(self, *intents: Intent) -> list[Ticket]:
        """Sign intents as one transaction and send it; returns at once, whatever the nodes answer.

        An intent with a `ref` that was sent before, by this process or one before it, is not sent again: its
        ticket is returned. Raises ReferenceUsed if that ref belongs to another intent, NodesFailed,
        SigningFailed and JournalError; nothing was sent then.
        """
        if not intents:
            raise InputError("intents", "none given")
        known = [self._known(intent) for intent in intents]
        found = [ticket for ticket in known if ticket is not None]
        if len(found) == len(intents):
            return found
        if found:
            raise ReferenceUsed(f"{found[0].ref} was sent before, in another transaction")
        if len({intent.ref for intent in intents}) < len(intents):
            raise ReferenceUsed("two intents have the same ref")
        sending = self._sign(intents)
        self._broadcast(sending)
        return list(sending.tickets)

    def _known(self, intent: Intent) -> Ticket | None:
        """The ticket of an earlier intent with this ref. Raises ReferenceUsed."""
        ticket = self._tickets.get(intent.ref)
        if ticket is not None:
            if not _is_same(ticket.intent, intent):
                raise ReferenceUsed(f"{intent.ref} was used for another {ticket.intent.action}")
            return ticket
        if intent.has_drawn_ref:
            return None
        # The journal may be younger than the account: the venue remembers every ref.
        for user in {self.account, self._signer.account}:
            for result in self.api.intents_by_ref(user, intent.ref)[1]:
                if result.action != intent.action:
                    raise ReferenceUsed(f"{intent.ref} was used for {result.action} {result.id}")
                found = Ticket(intent, result.id, result.id.partition("-")[0], 0)
                self._end(found, result)
                self._tickets[intent.ref] = found
                return found
        return None

    def _sign(self, intents: Sequence[Intent]) -> _Sending:
        venue, chain_id = self.venue, self._nodes.chain_id
        position = self._nodes.position()
        expires = position.time + self._expires_in
        dated = [
            one if "notAfter" in one.payload else Intent(one.action, {**one.payload, "notAfter": expires})
            for one in intents
        ]
        transaction = Transaction(
            account=self._signer.account,
            role=self._signer.role,
            custom_json_id=venue.custom_json_id,
            text=custom_json_text(venue.contract, dated),
            reference=position.block_id,
            expires=expires,
        )
        if transaction.id in self._open:
            raise ReferenceUsed("the same intents were just sent")
        body = signed_json(self._signer, transaction, chain_id)
        signed = Signed(transaction.id, self._signer.account, expires, tuple(dated), body)
        self._journal.signed(signed)
        return self._adopt(signed)

    def _adopt(self, signed: Signed) -> _Sending:
        tickets = tuple(
            Ticket(intent, signed.element_id(at), signed.id, signed.expires)
            for at, intent in enumerate(signed.intents)
        )
        for ticket in tickets:
            self._tickets[ticket.ref] = ticket
        for ticket, end in zip(tickets, signed.end or (), strict=False):
            ticket.state, ticket.code, ticket.reason = State(end["state"]), end["code"], end["reason"]
        sending = _Sending(signed, tickets)
        if signed.end is None:
            self._open[signed.id] = sending
        return sending

    def _broadcast(self, sending: _Sending) -> None:
        sending.sent_at = time.monotonic()
        sent = self._nodes.broadcast(sending.signed.body)
        if sent.status != "sent":
            log.warning("transaction %s: %s: %s", sending.signed.id, sent.status, sent.reason)
        for ticket in sending.tickets:
            # What one node has taken, or may have, another one's refusal does not take back.
            if sent.status == "sent" or ticket.state in (State.SIGNED, State.REFUSED):
                ticket.state, ticket.reason = State(sent.status), sent.reason

    # -- following -------------------------------------------------------------------------------------

    def wait(self, ticket: Ticket, *, timeout: float | None = None) -> Ticket:
        """Follow an intent until its outcome is known, or `timeout` seconds have passed."""
        return self.wait_all([ticket], timeout=timeout)[0]

    def wait_all(
        self, tickets: Iterable[Ticket] | None = None, *, timeout: float | None = None
    ) -> list[Ticket]:
        """Follow intents, by default all open ones, until their outcomes are known or the time is over."""
        awaited = self.open_tickets if tickets is None else list(tickets)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self.poll()
            if all(ticket.is_done for ticket in awaited):
                return awaited
            if deadline is not None and time.monotonic() >= deadline:
                return awaited
            self._sleep(self._poll_seconds)

    def poll(self) -> list[Ticket]:
        """Look once at every open intent, and send again what is in no block yet; those that ended now.

        Servers that do not answer change nothing. Raises ApiError for an answer that will not get better.
        """
        ended: list[Ticket] = []
        health: Health | None = None
        if self._open:
            with _patience("the exchange"):
                health = self.api.health()
        for sending in list(self._open.values()):
            with _patience(f"transaction {sending.signed.id}"):
                if self._look(sending, health):
                    ended.extend(sending.tickets)
        return ended

    def refresh(self, ticket: Ticket) -> Ticket:
        """Read an order again that is open or waiting: it may be filled, cancelled or expired."""
        if ticket.state in (State.OPEN, State.WAITING):
            self._take_order(ticket, ticket.id)
        return ticket

    def _look(self, sending: _Sending, health: Health | None) -> bool:
        """Whether its end is known now. `health` is None while the exchange does not answer."""
        if health is not None and health.block != sending.looked_at:
            results = {result.id: result for result in self.api.intents(sending.signed.id)}
            if all(ticket.id in results for ticket in sending.tickets):
                for ticket in sending.tickets:
                    self._end(ticket, results[ticket.id])
                self._close(sending)
                return True
            sending.looked_at = health.block
        place = self._nodes.find(sending.signed.id, sending.signed.expires)
        if place in ("block", "final"):
            for ticket in sending.tickets:
                ticket.state, ticket.reason = State.IN_BLOCK if place == "block" else State.FINAL, ""
            return False
        if health is not None and self._is_excluded(sending, health):
            for ticket in sending.tickets:
                ticket.state = State.NOT_INCLUDED
            self._close(sending)
            return True
        for ticket in sending.tickets:
            if ticket.state in (State.IN_BLOCK, State.FINAL):  # a fork dropped its block
                ticket.state = State.UNKNOWN
        is_due = sending.sent_at is None or time.monotonic() - sending.sent_at >= self._resend_seconds
        if is_due and sending.past_block is None:
            self._broadcast(sending)
        return False

    def _is_excluded(self, sending: _Sending, health: Health) -> bool:
        """Whether no block can have it any more: irreversible ones passed its expiration without it.

        A block may take it while the time of the block *before* is below the expiration. So one block at or
        after the expiration is awaited, and then an answer that covers at least that block.
        """
        if sending.past_block is None:
            if not health.block or health.ts is None or health.ts.timestamp() <= sending.signed.expires:
                return False
            sending.past_block = health.block
        ids = {ticket.id for ticket in sending.tickets}
        for user in {self.account, self._signer.account}:
            block, results = self.api.intents_by_ref(user, sending.tickets[0].ref)
            if block < sending.past_block or any(result.id in ids for result in results):
                return False
        return True

    def _end(self, ticket: Ticket, result: IntentResult) -> None:
        ticket.reason, ticket.code = "", None
        if result.status == "rejected":
            ticket.state, ticket.code, ticket.reason = State.REJECTED, result.code, result.error or ""
        elif result.order is None:
            ticket.state = State.ACCEPTED
        else:
            self._take_order(ticket, result.order)

    def _take_order(self, ticket: Ticket, order_id: str) -> None:
        found = self.api.order(order_id)
        if found is None:
            raise ConnectionFailed(f"order {order_id} is accepted, but this server does not have it yet")
        ticket.order = found.order
        ticket.state = State(found.order.status)

    def _close(self, sending: _Sending) -> None:
        end: list[dict[str, Any]] = [
            {"state": ticket.state.value, "code": ticket.code, "reason": ticket.reason}
            for ticket in sending.tickets
        ]
        del self._open[sending.signed.id]
        for forgotten in self._journal.ended(sending.signed, end):
            for intent in forgotten.intents:
                self._tickets.pop(intent.ref, None)

    def close(self) -> None:
        """Close journal and connections. Orders stay: cancel them first, or arm `cancel_all_after`."""
        self._journal.close()
        self._nodes.close()
        self.api.close()


@contextmanager
def _patience(what: str) -> Iterator[None]:
    """Log the failures of servers that may answer later, and go on."""
    try:
        yield
    except (ConnectionFailed, NodesFailed) as error:
        log.warning("%s: %s", what, error)
    except ApiError as error:
        if not error.is_temporary:
            raise
        log.warning("%s: %s", what, error)


def _is_same(old: Intent, new: Intent) -> bool:
    """Whether two intents ask for the same, deadlines aside."""
    return old.action == new.action and _timeless(old) == _timeless(new)


def _timeless(intent: Intent) -> dict[str, object]:
    return {key: value for key, value in intent.payload.items() if key != "notAfter"}
