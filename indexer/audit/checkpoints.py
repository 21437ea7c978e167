"""The operator's claims, held against what this replica has recorded, as they are read from the chain.

Whether a claimed journal hash is ours, the rows tell at any time. Our state hash is made here, once, for the
newest claim that came: it reads the whole state of that block. What disagrees is an alarm, never a stop: the
ledger follows from the chain, whatever anybody claims of it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from settlement.store.database import explain
from settlement.store.periodic_thread import Repeated
from settlement.store.read.audit.checkpoints import CheckpointRow, checkpoints_after, list_checkpoints
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import read_position

LOOK_SECONDS: Final = 2.0
AT_START: Final = 20
"""So many of the newest claims are looked at again when the indexer starts, and are shown by the API."""
MOST_AT_ONCE: Final = 500
_END_SECONDS: Final = 1.0
_CURE: Final = "replay with `peakedex verify`, and ask other replicas, to find out who is wrong"

log = logging.getLogger("peakedex.checkpoints")


class Claims(Repeated):
    """Looks at new claims from a thread of its own, for as long as it is entered.

    `reader` cannot write. `is_ready` says whether the indexes are there that the state of a past block needs.
    """

    def __init__(self, reader: Engine, is_ready: Callable[[], bool]) -> None:
        super().__init__("claims", LOOK_SECONDS, _END_SECONDS)
        self._reader = reader
        self._is_ready = is_ready
        self._last: int | None = None
        self._state_due: CheckpointRow | None = None
        self._hashes: dict[int, str] = {}

    def report(self) -> str:
        """Our state hash by number of the claim, as JSON, for those that were compared."""
        return json.dumps(self._hashes)

    def turn(self) -> None:
        """Look, and let a database that fails be looked at later."""
        try:
            self.look()
        except SQLAlchemyError as error:
            log.info("later: %s", explain(error))

    def look(self) -> None:
        """Judge what is new. Raises SQLAlchemyError."""
        with self._reader.connect() as connection:
            at = read_position(connection)
            if at is None:
                return
            if self._last is None:
                newest = list_checkpoints(connection, AT_START)
                self._last = newest[-1].n - 1 if newest else 0
            claims = checkpoints_after(connection, self._last, MOST_AT_ONCE)
            for claim in claims:
                self._judge(claim, at.block)
            if self._state_due is not None and self._is_ready():
                claim, self._state_due = self._state_due, None
                self._compare_state(claim, read_state_hash(connection, claim.claimed_block))

    def _judge(self, claim: CheckpointRow, newest: int) -> None:
        self._last = claim.n
        agrees = claim.journal_agrees(newest)
        if agrees is False:
            log.error(
                "DISAGREEMENT: checkpoint %s claims the journal hash %s of block %s, ours is %s: %s",
                *(claim.id, claim.journal_hash, claim.claimed_block, claim.our_journal_hash, _CURE),
            )
        elif agrees and claim.our_block == claim.claimed_block:
            self._state_due = claim

    def _compare_state(self, claim: CheckpointRow, ours: str) -> None:
        kept = [n for n in self._hashes if n > claim.n - AT_START]
        self._hashes = {n: self._hashes[n] for n in kept} | {claim.n: ours}
        if ours == claim.state_hash:
            log.info("checkpoint of block %s: journal and state agree", claim.claimed_block)
        else:
            log.error(
                "DISAGREEMENT: checkpoint %s claims the state hash %s of block %s, ours is %s: %s",
                *(claim.id, claim.state_hash, claim.claimed_block, ours, _CURE),
            )
