"""The notifying process: a thread that follows the stream, one that polls the health, and one a target."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from indexer.notify.alarms import judge, observe
from indexer.notify.api_client import Api
from indexer.notify.config.model import Config
from indexer.notify.delivery import Worker
from indexer.notify.outbox import Outbox
from indexer.notify.state import StateFile
from indexer.notify.status_history import StatusHistory
from indexer.notify.targets.factory import make_target
from indexer.notify.watcher import Watcher
from settlement.net.change_logger import ChangeLogger

log = logging.getLogger("peakedex.notify")


class Service:
    """Everything that runs, over one state file."""

    def __init__(
        self, config: Config, url: str, state: Path, status: Path | None, stop: threading.Event
    ) -> None:
        """Raises StateError."""
        self._config = config
        self._stop = stop
        self._url = url.rstrip("/")
        self._outbox = Outbox(StateFile(state), {each.name: each.queue for each in config.targets})
        self._history = None if status is None else StatusHistory(status, config.poll_seconds)
        self._failed = False

    def run(self) -> bool:
        """Run until `stop` is set; whether it ended without an unexpected error."""
        config, outbox, stop = self._config, self._outbox, self._stop
        jobs: dict[str, Callable[[], None]] = {"health": self._watch_health}
        if config.accounts or config.pairs:
            jobs["stream"] = Watcher(config, self._url, outbox, stop).run
        for each in config.targets:
            jobs[f"target {each.name}"] = Worker(each, make_target(each), outbox, stop).run
        for name, job in jobs.items():
            threading.Thread(target=self._run, args=(name, job), name=name, daemon=True).start()
        log.info("notifications from %s to %s", self._url, ", ".join(each.name for each in config.targets))
        stop.wait()
        return not self._failed

    def _run(self, name: str, job: Callable[[], None]) -> None:
        """Run a thread's work; an error ends the process, which systemd then starts again."""
        try:
            job()
        except Exception:
            log.exception("%s: unexpected error", name)
            self._failed = True
            self._stop.set()

    def _watch_health(self) -> None:
        api, errors = Api(self._url, self._stop), ChangeLogger(log, logging.ERROR)
        unseen = ChangeLogger(log, logging.INFO)
        while not self._stop.is_set():
            seen = observe(api, self._config)
            asked = {kind for rule in self._config.alarm_rules for kind in rule.kinds}
            if seen.health is not None:
                blind = ", ".join(sorted(seen.unknown & asked))
                unseen.log(f"nothing is known of the alarms {blind}" if blind else "all alarms are seen")
            before = self._outbox.state.alarms.keys() | seen.alarms.keys()
            self._outbox.commit(
                lambda state, seen=seen: list(judge(state, seen, self._config, self._url)),  # type: ignore[misc]
                write=bool(before),
            )
            if self._history is not None:
                try:
                    self._history.add(seen)
                except OSError as error:
                    errors.log(f"the status file cannot be written: {error.strerror}")
            self._stop.wait(self._config.poll_seconds)
