"""Makes targets from their settings. Sockets are opened when a message is sent."""

from __future__ import annotations

from typing import Any, cast

from indexer.notify.config.model import TargetSettings
from indexer.notify.targets.discord import Discord
from indexer.notify.targets.http import Poster
from indexer.notify.targets.mail import Mail
from indexer.notify.targets.ntfy import Ntfy
from indexer.notify.targets.target import Target
from indexer.notify.targets.telegram import Telegram
from indexer.notify.targets.webhook import Webhook


def make_target(settings: TargetSettings) -> Target:
    """The target of validated settings."""
    options = cast(dict[str, Any], settings.options)
    if settings.type == "email":
        login = None if options["user"] is None else (options["user"], options["password"] or "")
        where = (options["server"], options["port"], options["security"])
        return Mail(*where, options["from"], tuple(options["to"]), login, options["ca_file"])
    poster = Poster(options["ca_file"])
    if settings.type == "telegram":
        return Telegram(options["api"], options["token"], options["chat"], poster)
    if settings.type == "discord":
        return Discord(options["url"], poster)
    if settings.type == "ntfy":
        return Ntfy(options["url"], options["topic"], options["token"], poster)
    return Webhook(options["url"], options["secret"], poster)
