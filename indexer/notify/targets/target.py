"""What every target is: it sends one notification, or says why it could not."""

from __future__ import annotations

from typing import Protocol

from indexer.notify.message import Notification


class DeliveryError(Exception):
    """The message was not delivered, or it is not known whether it was. It is tried again.

    The text holds no secret. `retry_after`: seconds that the service asked for.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(DeliveryError):
    """The service does not accept this message, however often it is sent."""


class Target(Protocol):
    """Sends to one place. Used by one thread."""

    def send(self, message: Notification) -> None:
        """Deliver the message. Raises DeliveryError."""
