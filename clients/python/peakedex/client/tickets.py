"""Tickets: what is known of an intent on its way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from peakedex.client.intents import Intent
from peakedex.client.models import Order


class State(StrEnum):
    """Where an intent stands. The first six are on the way; the others are ends."""

    SIGNED = "signed"  # in the journal; nobody has it yet
    SENT = "sent"  # a Hive node has taken it
    UNKNOWN = "unknown"  # sent, and no node said what became of it
    REFUSED = "refused"  # every node refused it; another may still take it until it expires
    IN_BLOCK = "in block"  # in a block that a fork could still drop
    FINAL = "final"  # in an irreversible block; the venue's answer is awaited
    ACCEPTED = "accepted"  # by the venue, and it placed no order
    OPEN = "open"  # an order in the book
    WAITING = "waiting"  # a stop whose price is not reached
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TRIGGERED = "triggered"  # a stop that became an order
    REJECTED = "rejected"  # by the venue; `reason` says why
    NOT_INCLUDED = "not included"  # it expired, and is in no block: it never will be

    @property
    def is_end(self) -> bool:
        """Whether the intent's outcome is known. An open order may still change."""
        return self not in ON_THE_WAY


ON_THE_WAY: Final = frozenset(
    (State.SIGNED, State.SENT, State.UNKNOWN, State.REFUSED, State.IN_BLOCK, State.FINAL)
)


@dataclass(slots=True)
class Ticket:
    """One intent on its way. The trader updates it; read it, and do not change it."""

    intent: Intent
    id: str  # the venue's id, of the order too
    transaction_id: str
    expires: int  # Unix seconds: it is in no block of a later time
    state: State = State.SIGNED
    reason: str = ""  # of a refusal or rejection
    code: str | None = None  # of a rejection, such as E_FUNDS
    order: Order | None = None  # as of the last look

    @property
    def ref(self) -> str:
        return self.intent.ref

    @property
    def is_done(self) -> bool:
        """Whether its outcome is known."""
        return self.state.is_end
