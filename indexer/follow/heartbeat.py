"""Heartbeat: publishes the indexer's status in the database, also while it waits or cannot continue."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer.sources.hive import HiveSource
from settlement.net.backoff import Waiting
from settlement.net.change_logger import ChangeLogger
from settlement.store.database import explain
from settlement.store.indexer_status import IndexerStatus, write_status
from settlement.store.periodic_thread import PeriodicThread

PUBLISH_SECONDS: Final = 2.0

log = logging.getLogger("peakedex.follow")


class StatusPublisher(PeriodicThread):
    """Context manager that writes the status row every two seconds, from a thread of its own."""

    def __init__(
        self,
        engine: Engine,
        source: HiveSource,
        peers: Callable[[], str | None] = lambda: None,
        checkpoints: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`peers` and `checkpoints` report the comparisons with peers and operator checkpoints, as JSON."""
        super().__init__("status", PUBLISH_SECONDS)
        self._engine = engine
        self._source = source
        self._peers = peers
        self._checkpoints = checkpoints
        self._reasons = ChangeLogger(log)
        self._outdated: Waiting | None = None

    def outdated(self, problem: str) -> None:
        """From now on the indexer waits for a newer version of the program."""
        self._outdated = Waiting(f"a newer version of Peake DEX: {problem}", time.time(), quiet_seconds=0.0)

    def run_once(self) -> None:
        """Publish the current status."""
        if self._outdated is not None:
            self._publish("outdated", waiting=self._outdated)
        else:
            mode = "catching up" if self._source.catching_up else "following"
            self._publish(mode, waiting=self._source.waiting)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._publish(
            "stopped", None if error is None else explain(error), self._outdated or self._source.waiting
        )

    def _publish(self, mode: str, problem: str | None = None, waiting: Waiting | None = None) -> None:
        now = time.time()
        reason, since = problem, now if problem else None
        if problem is None and waiting is not None and now - waiting.since >= waiting.quiet_seconds:
            reason, since = waiting.reason, waiting.since
        self._log(mode, reason, problem)
        status = IndexerStatus(
            int(now),
            mode,
            self._source.irreversible or None,
            reason,
            None if since is None else int(since),
            self._source.nodes,
            self._peers(),
            self._checkpoints(),
        )
        try:
            write_status(self._engine, status)
        except SQLAlchemyError as error:
            log.warning("the indexer's status could not be written: %s", error)

    def _log(self, mode: str, reason: str | None, problem: str | None) -> None:
        if not self._reasons.changed("", reason):
            return
        if problem is not None:
            log.error("Stopped: %s", problem)
        elif mode == "outdated":
            log.error("Stopped until it is replaced by %s", reason)
        elif reason is not None:
            log.warning("Waiting for %s", reason)
        elif mode != "stopped":
            log.info("Recovered: indexing again.")
