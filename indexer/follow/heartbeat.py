"""Tells the database, and so every reader, what the indexer is doing: while it waits, too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer.sources.hive import HiveSource
from settlement.store.database import explain
from settlement.store.periodic_thread import Repeated
from settlement.store.status import IndexerStatus, write_status

PUBLISH_SECONDS: Final = 2.0
QUIET_SECONDS: Final = 3
"""Waiting for the next block is not worth a word before this."""

log = logging.getLogger(__name__)


class StatusPublisher(Repeated):
    """Writes the status row every two seconds, from a thread of its own, for as long as it is entered."""

    def __init__(
        self,
        engine: Engine,
        source: HiveSource,
        peers: Callable[[], str | None] = lambda: None,
        claims: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`peers` and `claims` tell what is known of peers and of the operator's claims, as JSON."""
        super().__init__("status", PUBLISH_SECONDS)
        self._engine = engine
        self._source = source
        self._peers = peers
        self._claims = claims
        self._told: str | None = None

    def turn(self) -> None:
        """What the indexer does now."""
        self._publish("catching up" if self._source.catching_up else "following")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._publish("stopped", None if error is None else explain(error))

    def _publish(self, mode: str, problem: str | None = None) -> None:
        now = time.time()
        waiting = self._source.waiting
        reason, since = problem, now if problem else None
        if problem is None and waiting is not None and now - waiting.since > QUIET_SECONDS:
            reason, since = waiting.reason, waiting.since
        if reason != self._told:
            self._told = reason
            log.warning("waiting for %s", reason or "nothing any more")
        status = IndexerStatus(
            int(now),
            mode,
            self._source.irreversible or None,
            reason,
            None if since is None else int(since),
            self._source.nodes,
            self._peers(),
            self._claims(),
        )
        try:
            write_status(self._engine, status)
        except SQLAlchemyError as error:
            log.warning("the status could not be written: %s", error)
