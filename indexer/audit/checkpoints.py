"""Verifies the operator's checkpoints, as they are read from the chain, against this replica's records.

A claimed journal hash is compared with the recorded rows. Our state hash is computed only for the newest new
checkpoint, because it needs the whole state of that block. A mismatch raises an alarm and stops nothing: the
ledger follows from the chain alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from settlement.store.database import explain
from settlement.store.periodic_thread import PeriodicThread
from settlement.store.read.audit.checkpoints import CheckpointRow, checkpoints_after, list_checkpoints
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import read_position

CHECK_SECONDS: Final = 2.0
RECENT_CHECKPOINTS: Final = 20
"""The newest checkpoints, which are verified again at start and shown by the API."""
MAX_BATCH: Final = 500
_STOP_SECONDS: Final = 1.0
_CURE: Final = "run `peakedex verify` and compare with other replicas to find out which is wrong"

log = logging.getLogger("peakedex.checkpoints")


class CheckpointVerifier(PeriodicThread):
    """Context manager that verifies new checkpoints, in a thread of its own.

    `reader` is a read-only engine. `is_ready` says whether the indexes for past states exist.
    """

    def __init__(self, reader: Engine, is_ready: Callable[[], bool]) -> None:
        super().__init__("checkpoints", CHECK_SECONDS, _STOP_SECONDS)
        self._reader = reader
        self._is_ready = is_ready
        self._last: int | None = None
        self._state_due: CheckpointRow | None = None
        self._hashes: dict[int, str] = {}

    def report(self) -> str:
        """Our state hashes by checkpoint number, as JSON, for the checkpoints whose state was compared."""
        return json.dumps(self._hashes)

    def run_once(self) -> None:
        """Verify new checkpoints; database errors postpone that."""
        try:
            self.verify_new()
        except SQLAlchemyError as error:
            log.info("verification of checkpoints postponed: %s", explain(error))

    def verify_new(self) -> None:
        """Verify the checkpoints recorded since the last call. Raises SQLAlchemyError."""
        with self._reader.connect() as connection:
            at = read_position(connection)
            if at is None:
                return
            if self._last is None:
                newest = list_checkpoints(connection, RECENT_CHECKPOINTS)
                self._last = newest[-1].n - 1 if newest else 0
            checkpoints = checkpoints_after(connection, self._last, MAX_BATCH)
            for checkpoint in checkpoints:
                self._verify_journal(checkpoint, at.block)
            if self._state_due is not None and self._is_ready():
                checkpoint, self._state_due = self._state_due, None
                self._verify_state(checkpoint, read_state_hash(connection, checkpoint.claimed_block))

    def _verify_journal(self, checkpoint: CheckpointRow, newest: int) -> None:
        self._last = checkpoint.n
        agrees = checkpoint.journal_agrees(newest)
        if agrees is False:
            log.error(
                "DISAGREEMENT: checkpoint %s claims the journal hash %s of block %s, ours is %s: %s",
                checkpoint.id,
                checkpoint.journal_hash,
                checkpoint.claimed_block,
                checkpoint.our_journal_hash,
                _CURE,
            )
        elif agrees and checkpoint.our_block == checkpoint.claimed_block:
            self._state_due = checkpoint

    def _verify_state(self, checkpoint: CheckpointRow, ours: str) -> None:
        kept = [n for n in self._hashes if n > checkpoint.n - RECENT_CHECKPOINTS]
        self._hashes = {n: self._hashes[n] for n in kept} | {checkpoint.n: ours}
        if ours == checkpoint.state_hash:
            log.info("checkpoint of block %s: journal and state agree", checkpoint.claimed_block)
        else:
            log.error(
                "DISAGREEMENT: checkpoint %s claims the state hash %s of block %s, ours is %s: %s",
                checkpoint.id,
                checkpoint.state_hash,
                checkpoint.claimed_block,
                ours,
                _CURE,
            )
