"""Sends the queued messages: a thread a target, so that one that fails holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from indexer.notify.config.model import TargetSettings
from indexer.notify.message import Notification
from indexer.notify.outbox import Outbox
from indexer.notify.targets.target import DeliveryError, RefusedError, Target
from settlement.net.backoff import Backoff
from settlement.net.change_logger import ChangeLogger

_BACKOFF: Final = Backoff(1.0, 300.0)
_REFUSALS: Final = 3
"""A message that a target refuses as often is dropped, so that it does not block the others."""

log = logging.getLogger("peakedex.notify")


class Worker:
    """Delivers to one target until `stop`: oldest message first, at least once, at most `per_minute`."""

    def __init__(
        self,
        settings: TargetSettings,
        target: Target,
        outbox: Outbox,
        stop: threading.Event,
        *,
        backoff: Backoff = _BACKOFF,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = settings.name
        self._interval = 60.0 / settings.per_minute
        self._target = target
        self._outbox = outbox
        self._stop = stop
        self._backoff = backoff
        self._monotonic = monotonic
        self._errors = ChangeLogger(log)

    def run(self) -> None:
        pause, refusals, earliest = 0.0, 0, 0.0
        while (message := self._outbox.wait(self._name, self._stop)) is not None:
            if self._stop.wait(max(0.0, earliest - self._monotonic())):
                return
            try:
                self._target.send(message)
            except DeliveryError as error:
                refusals = refusals + 1 if isinstance(error, RefusedError) else 0
                self._errors.log(f"target {self._name}: {error}")
                if refusals >= _REFUSALS:
                    log.error("target %s refuses %s: it is dropped", self._name, message.id)
                    self._outbox.refused(self._name, message)
                    refusals = 0
                # What the service asked for is not shortened: it would only ask for more.
                pause = max(self._backoff.after(pause), error.retry_after or 0.0)
                earliest = self._monotonic() + pause
                continue
            self._outbox.delivered(self._name, message)
            if pause:
                log.info("target %s receives messages again", self._name)
            self._errors.changed("", None)
            pause, refusals = 0.0, 0
            earliest = self._monotonic() + self._interval


def send_once(target: Target, message: Notification) -> str | None:
    """Send a message without the queue; the reason if it was not delivered."""
    try:
        target.send(message)
    except DeliveryError as error:
        return str(error)
    return None
