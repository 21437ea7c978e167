"""The operator's checkpoints: what our ledger says of a past block, on the chain for everybody to compare.

What is due follows from the chain alone. Once a multiple M of the interval is recorded, the newest block of
ours up to M is claimed: of others a database does not keep the ids, which states name. Chain time is cut into
windows, and a checkpoint has one transaction in each: it refers to the claimed block, expires when the window
ends, and is signed only by a ledger that has read past the end of the one before. So whoever posts it, and
however often, sends the same bytes, which the chain takes once; and a claim that the ledger shows is not
posted again.

All of it is done in a thread of its own, with connections of its own: payments wait for none of it.
"""

from __future__ import annotations

import logging
import time
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from settlement.core.venue import Venue
from settlement.payouts.authority import Authorities
from settlement.payouts.chain import ChainError, Nodes
from settlement.payouts.operator_intents import operator_action
from settlement.payouts.payout_log import read_settings
from settlement.payouts.signing import Key, Signed, SigningError, Transaction
from settlement.store.database import explain
from settlement.store.periodic_thread import Repeated
from settlement.store.read.audit.checkpoints import list_checkpoints
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import Past, read_past, read_position

POLL_SECONDS: Final = 3.0
WINDOW_SECONDS: Final = 600
"""By the chain's time. How long a checkpoint can get into a block, at most."""
LATEST_SECONDS: Final = 15
"""One with less time to live than that waits for the next window."""
RESEND_SECONDS: Final = 30
REFRESH_SECONDS: Final = 300
OLDEST_BLOCKS: Final = 65_000
"""A transaction can refer to one of the last 65,536 blocks."""
CLAIMS_LOOKED_AT: Final = 100
_END_SECONDS: Final = 1.0

log = logging.getLogger("peakedex.checkpoints")


class Due(NamedTuple):
    """A block of ours to be claimed, and when the window of now ends (seconds since 1970)."""

    past: Past
    expires: int


def newest(connection: Connection, every: int) -> Due | None:
    """What the last multiple of `every` blocks asks for: after an outage that one alone.

    None before the first, for a block so old that no transaction can refer to it, and while payouts are
    paused.
    """
    at = read_position(connection)
    if at is None or at.timestamp is None or read_settings(connection).paused:
        return None
    past = read_past(connection, at.block - at.block % every)
    if past is None or at.block - past.number > OLDEST_BLOCKS:
        return None
    return Due(past, ((at.timestamp - 1) // WINDOW_SECONDS + 1) * WINDOW_SECONDS)


def is_claimed(connection: Connection, past: Past, state_hash: str) -> bool:
    """Whether the chain shows this very claim already, as far as we have read it."""
    ours = (past.number, state_hash, past.journal_hash)
    claims = list_checkpoints(connection, CLAIMS_LOOKED_AT)
    return any((claim.claimed_block, claim.state_hash, claim.journal_hash) == ours for claim in claims)


def compose(venue: Venue, due: Due, state_hash: str) -> Transaction:
    """The transaction of a checkpoint in its window, as everybody builds it. Raises SigningError."""
    claim = {"block": due.past.number, "stateHash": state_hash, "journalHash": due.past.journal_hash}
    return Transaction.after(due.past.block_id, due.expires, operator_action(venue, "checkpoint", claim))


class Poster(Repeated):
    """Posts checkpoints while it is entered. Whatever fails is logged, and tried again."""

    def __init__(
        self, reader: Engine, nodes: Nodes, venue: Venue, key: Key, chain_id: str, every: int
    ) -> None:
        """`reader` cannot write; `nodes` are nobody else's. `every` is the interval in blocks."""
        super().__init__("checkpoints", POLL_SECONDS, _END_SECONDS)
        self._reader = reader
        self._nodes = nodes
        self._venue = venue
        self._key = key
        self._chain_id = chain_id
        self._every = every
        self._state: tuple[Past, str] | None = None
        self._claimed: Past | None = None
        self._authorities = Authorities((venue.operator,))
        self._refreshed: float | None = None
        self._sent = ("", 0)
        self._said = ""

    def turn(self) -> None:
        """A round, and what it failed by."""
        try:
            self.round()
        except (ChainError, SigningError) as error:
            self._say(f"no checkpoint: {error}")
        except SQLAlchemyError as error:
            self._say(f"no checkpoint: {explain(error)}")

    def round(self) -> None:
        """Post what is due, once. Raises ChainError, SigningError and SQLAlchemyError."""
        with self._reader.connect() as connection:
            due = newest(connection, self._every)
        if due is None or due.past == self._claimed:
            return
        head = self._nodes.head_time()
        if due.expires - head < LATEST_SECONDS:
            return
        with self._reader.connect() as connection:
            if newest(connection, self._every) != due:  # two readers of a cluster may stand apart
                return
            state_hash = self._state_hash(connection, due.past)
            if is_claimed(connection, due.past, state_hash):
                self._claimed = due.past
                return
        transaction = compose(self._venue, due, state_hash)
        sent, when = self._sent
        if sent == transaction.id and head - when < RESEND_SECONDS:
            return
        signatures = self._sign(transaction)
        outcome = self._nodes.broadcast(Signed(transaction, signatures))
        self._sent = transaction.id, head
        if outcome.status == "sent":
            self._said = ""
            log.info("checkpoint of block %s sent: %s", due.past.number, transaction.id)
        else:
            self._refreshed = None  # the authority may have been changed
            self._say(f"the checkpoint of block {due.past.number} is {outcome.status}: {outcome.reason}")

    def _state_hash(self, connection: Connection, past: Past) -> str:
        """Of that block; it is added up once."""
        if self._state is None or self._state[0] != past:
            self._state = past, read_state_hash(connection, past.number)
        return self._state[1]

    def _sign(self, transaction: Transaction) -> tuple[str, ...]:
        """Signatures that suffice. Raises ChainError, and SigningError where our key does not."""
        operator, now = self._venue.operator, time.monotonic()
        if self._refreshed is None or now - self._refreshed >= REFRESH_SECONDS:
            self._authorities.refresh(self._nodes)
            self._refreshed = now
        rule = self._authorities.rule(operator)
        if rule is None:
            raise SigningError(f"there is no account {operator} on Hive")
        if not rule.met((self._key.public,)):
            weight = rule.weight((self._key.public,))
            raise SigningError(f"our key has weight {weight} of {rule.threshold} for {operator}")
        return (self._key.sign(transaction, self._chain_id),)

    def _say(self, text: str) -> None:
        if text != self._said:
            log.warning("%s", text)
        self._said = text
