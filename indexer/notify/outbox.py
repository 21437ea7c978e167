"""Bounded queues of what is to be sent, one a target, kept in the state file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from indexer.notify.message import Notification, notification, now
from indexer.notify.state import MAX_DELIVERED, Queue, State, StateFile
from settlement.net.change_logger import ChangeLogger

log = logging.getLogger("peakedex.notify")

_WAKE_SECONDS: Final = 0.5


class Addressed(NamedTuple):
    """A notification and the names of the targets that it is for."""

    notification: Notification
    to: tuple[str, ...]


class Outbox:
    """The state and its queues. Thread-safe: every change is made and written under one lock."""

    def __init__(self, file: StateFile, sizes: dict[str, int]) -> None:
        """`sizes`: the longest queue of each target. Queues of targets that no longer exist are dropped."""
        self._file = file
        self._sizes = sizes
        self._changed = threading.Condition()
        self._errors = ChangeLogger(log, logging.ERROR)
        self.state = file.load()
        for name in self.state.queues.keys() - sizes.keys():
            lost = len(self.state.queues.pop(name).pending)
            if lost:
                log.warning("target %s is no longer configured: %d of its messages are dropped", name, lost)
        for name in sizes:
            self.state.queues.setdefault(name, Queue())

    def commit(self, change: Callable[[State], Iterable[Addressed]], *, write: bool = True) -> int:
        """Change the state, queue the notifications that the change returns, and write both at once.

        Returns how many were queued. Without `write` the file is written only if there are any: what the
        change did may then be repeated after a restart.
        """
        with self._changed:
            queued = sum(self._queue(each, name) for each, to in change(self.state) for name in to)
            if queued or write:
                self._save()
            if queued:
                self._changed.notify_all()
            return queued

    def _save(self) -> None:
        """Write the file. A failure is logged: at the next change it is written again."""
        try:
            self._file.save(self.state)
        except OSError as error:
            self._errors.log(f"the state cannot be written: {error.strerror}: a restart will repeat messages")
        else:
            self._errors.changed("", None)

    def _queue(self, message: Notification, name: str) -> bool:
        """Whether it is new to the target. A full queue loses its oldest message of the lowest severity."""
        queue = self.state.queues[name]
        if message.id in queue.delivered or any(message.id == each.id for each in queue.pending):
            return False
        queue.pending.append(message)
        if len(queue.pending) > self._sizes[name]:
            # The first one may be on its way.
            infos = (at for at, each in enumerate(queue.pending) if at and each.severity == "info")
            lost = queue.pending.pop(next(infos, 1))
            queue.dropped += 1
            log.warning("target %s: its queue is full: %s is dropped", name, lost.id)
        return True

    def wait(self, name: str, stop: threading.Event) -> Notification | None:
        """The next message for a target, once there is one; None once `stop` is set.

        Messages of severity critical come first; then the oldest.
        """
        with self._changed:
            while not stop.is_set():
                queue = self.state.queues[name]
                if queue.dropped:
                    self._report_dropped(name, queue)
                if queue.pending:
                    critical = (each for each in queue.pending if each.severity == "critical")
                    return next(critical, queue.pending[0])
                self._changed.wait(_WAKE_SECONDS)
        return None

    def _report_dropped(self, name: str, queue: Queue) -> None:
        """Put a message about the dropped ones first. It stays uncounted while an earlier one waits."""
        if any(each.kind == "dropped" for each in queue.pending):
            return
        queue.reports += 1
        many = f"{queue.dropped} notification{'' if queue.dropped == 1 else 's'}"
        fields = {
            "target": name,
            "dropped": queue.dropped,
            "reason": "its queue was full, or it refused them",
        }
        title = f"{many} dropped"
        message = notification(
            f"dropped/{name}/{now()}/{queue.reports}", "dropped", title, fields, now(), "warning"
        )
        queue.pending.insert(0, message)
        queue.dropped = 0
        self._save()

    def delivered(self, name: str, message: Notification) -> None:
        """The target has received it."""
        with self._changed:
            queue = self.state.queues[name]
            queue.pending = [each for each in queue.pending if each.id != message.id]
            queue.delivered = [*queue.delivered, message.id][-MAX_DELIVERED:]
            self._save()

    def refused(self, name: str, message: Notification) -> None:
        """The target will never accept it."""
        with self._changed:
            queue = self.state.queues[name]
            queue.pending = [each for each in queue.pending if each.id != message.id]
            if message.kind != "dropped":
                queue.dropped += 1
            self._save()
