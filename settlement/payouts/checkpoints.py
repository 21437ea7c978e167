"""Posts checkpoints: hashes of a past block, on the chain for every replica to compare (protocol, section 9).

They are signed by the venue's checkpoint account, which needs no other authority and no other key is used.

Which checkpoint is due follows from the chain alone: once a multiple M of the interval is recorded, it is
that of the newest recorded block up to M (a state names its block's id, and other ids are not recorded).
Chain time is divided into windows, and a checkpoint has one transaction in each: it refers to that block,
expires when the window ends, and is signed only by a ledger that has read past the end of the previous
window. So every process posts the same bytes, which the chain accepts once, and one in the ledger is not
posted again.

This runs in a thread of its own with connections of its own, so payments never wait for it.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from settlement.core.venue import Venue
from settlement.net.change_logger import ChangeLogger
from settlement.payouts.chain.client import ChainClient
from settlement.payouts.chain.nodes import ChainError
from settlement.payouts.payout_log import read_settings
from settlement.payouts.signing.authority import Authorities
from settlement.payouts.signing.transactions import (
    MAX_REFERENCE_AGE,
    Key,
    Operation,
    SignedTransaction,
    SigningError,
    Transaction,
)
from settlement.store.database import explain
from settlement.store.periodic_thread import PeriodicThread
from settlement.store.read.audit.checkpoints import list_checkpoints
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import ActiveBlock, read_active_block, read_position

POLL_SECONDS: Final = 3.0
WINDOW_SECONDS: Final = 600
"""Chain time: the longest lifetime of a checkpoint's transaction."""
MIN_SECONDS_TO_EXPIRY: Final = 15
"""A checkpoint that expires sooner waits for the next window."""
RESEND_SECONDS: Final = 30
REFRESH_SECONDS: Final = 300
MAX_CHECKPOINTS_COMPARED: Final = 100
_STOP_SECONDS: Final = 1.0

log = logging.getLogger("peakedex.checkpoints")


class DueCheckpoint(NamedTuple):
    """The checkpoint to be posted now."""

    past: ActiveBlock
    expires: int  # end of the current window, seconds since 1970


def due_checkpoint(connection: Connection, every: int) -> DueCheckpoint | None:
    """The checkpoint of the last multiple of `every` blocks; earlier ones are not made up for.

    None before the first, for a block too old to be referred to, and while payouts are paused.
    """
    at = read_position(connection)
    if at is None or at.timestamp is None or read_settings(connection).paused:
        return None
    past = read_active_block(connection, at.block - at.block % every)
    if past is None or at.block - past.number > MAX_REFERENCE_AGE:
        return None
    return DueCheckpoint(past, ((at.timestamp - 1) // WINDOW_SECONDS + 1) * WINDOW_SECONDS)


def is_posted(connection: Connection, past: ActiveBlock, state_hash: str) -> bool:
    """Whether the ledger shows a checkpoint with this block and these hashes."""
    ours = (past.number, state_hash, past.journal_hash)
    checkpoints = list_checkpoints(connection, MAX_CHECKPOINTS_COMPARED)
    return any((row.claimed_block, row.state_hash, row.journal_hash) == ours for row in checkpoints)


def compose(venue: Venue, due: DueCheckpoint, state_hash: str) -> Transaction:
    """The transaction of a checkpoint, the same for every process. Raises SigningError."""
    payload = {"block": due.past.number, "stateHash": state_hash, "journalHash": due.past.journal_hash}
    action = {
        "contractName": venue.contract,
        "contractAction": "checkpoint",
        "contractPayload": payload,
    }
    operation: Operation = (
        "custom_json",
        {
            "required_auths": [venue.checkpoint_account],
            "required_posting_auths": [],
            "id": venue.custom_json_id,
            "json": json.dumps(action, separators=(",", ":")),
        },
    )
    return Transaction.after(due.past.block_id, due.expires, operation)


class CheckpointPoster(PeriodicThread):
    """Posts checkpoints while it is entered. Failures are logged and retried."""

    def __init__(
        self, reader: Engine, nodes: ChainClient, venue: Venue, key: Key, chain_id: str, every: int
    ) -> None:
        """`nodes` are used by this thread alone. `every`: interval in blocks."""
        super().__init__("checkpoints", POLL_SECONDS, _STOP_SECONDS)
        self._reader = reader
        self._nodes = nodes
        self._venue = venue
        self._key = key
        self._chain_id = chain_id
        self._every = every
        self._state_hash_of: tuple[ActiveBlock, str] | None = None  # the last one computed
        self._posted: ActiveBlock | None = None  # known to be in the ledger
        self._authorities = Authorities((venue.checkpoint_account,))
        self._refreshed: float | None = None
        self._sent = ("", 0)  # id and head time of the last broadcast
        self._failures = ChangeLogger(log)

    def run_once(self) -> None:
        """One round; logs failures."""
        try:
            self.round()
        except (ChainError, SigningError) as error:
            self._failures.log(f"no checkpoint: {error}")
        except SQLAlchemyError as error:
            self._failures.log(f"no checkpoint: {explain(error)}")

    def round(self) -> None:
        """Post the checkpoint that is due, once. Raises ChainError, SigningError and SQLAlchemyError."""
        with self._reader.connect() as connection:
            due = due_checkpoint(connection, self._every)
        if due is None or due.past == self._posted:
            return
        head = self._nodes.head_time()
        if due.expires - head < MIN_SECONDS_TO_EXPIRY:
            return
        with self._reader.connect() as connection:
            if due_checkpoint(connection, self._every) != due:  # replicas of a cluster may differ
                return
            state_hash = self._state_hash(connection, due.past)
            if is_posted(connection, due.past, state_hash):
                self._posted = due.past
                return
        transaction = compose(self._venue, due, state_hash)
        sent, when = self._sent
        if sent == transaction.id and head - when < RESEND_SECONDS:
            return
        signatures = self._sign(transaction)
        outcome = self._nodes.broadcast(SignedTransaction(transaction, signatures))
        self._sent = transaction.id, head
        if outcome.status == "sent":
            self._failures.changed("", None)
            log.info("checkpoint of block %s sent: %s", due.past.number, transaction.id)
        else:
            self._refreshed = None  # the authority may have changed
            self._failures.log(
                f"the checkpoint of block {due.past.number} is {outcome.status}: {outcome.reason}"
            )

    def _state_hash(self, connection: Connection, past: ActiveBlock) -> str:
        """State hash of a block, computed once."""
        if self._state_hash_of is None or self._state_hash_of[0] != past:
            self._state_hash_of = past, read_state_hash(connection, past.number)
        return self._state_hash_of[1]

    def _sign(self, transaction: Transaction) -> tuple[str, ...]:
        """Sufficient signatures. Raises ChainError, and SigningError where our key does not suffice."""
        account, now = self._venue.checkpoint_account, time.monotonic()
        if self._refreshed is None or now - self._refreshed >= REFRESH_SECONDS:
            self._authorities.refresh(self._nodes)
            self._refreshed = now
        authority = self._authorities.get(account)
        if authority is None:
            raise SigningError(f"there is no account {account} on Hive")
        if not authority.is_met((self._key.public,)):
            weight = authority.weight((self._key.public,))
            raise SigningError(f"our key has weight {weight} of {authority.threshold} for {account}")
        return (self._key.sign(transaction, self._chain_id),)
