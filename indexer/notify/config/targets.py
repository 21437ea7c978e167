"""Reads and validates the targets of the configuration; their secrets come from environment variables."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from indexer.notify.config.model import TargetSettings
from indexer.notify.config.tables import Table

TYPES: Final = ("webhook", "email", "telegram", "discord", "ntfy")
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""Of a target, and of an alarm of one's own."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAIL: Final = re.compile(r"[^@\s<>,;:\"\\]{1,64}@[A-Za-z0-9.-]{1,255}")
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]{1,255}")
_CHAT: Final = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{5,32}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,300}")
_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PER_MINUTE: Final[Mapping[str, int]] = {
    "webhook": 600,
    "email": 20,
    "telegram": 20,  # the service's limit for a group
    "discord": 30,  # the service's limit for a webhook
    "ntfy": 12,  # one in five seconds: the service refills at that rate
}


class _Secrets:
    """Values of environment variables, each remembered so that it can be kept out of the log."""

    def __init__(self, table: Table, environ: Mapping[str, str]) -> None:
        self._table = table
        self._environ = environ
        self.used: list[str] = []

    def read(self, key: str, *, required: bool = True) -> str | None:
        """The value of the variable that the field names."""
        if not required and not self._table.has(key):
            return None
        name = self._table.text(key, _VARIABLE.fullmatch, "the name of an environment variable")
        if not name:
            return None
        value = self._environ.get(name, "").strip()
        if not value:
            self._table.note(key, f"the environment variable {name} is not set: put the secret into it")
            return None
        if _TOKEN.fullmatch(value) is None:
            self._table.note(key, f"{name} holds blanks, other characters than ASCII, or too many")
            return None
        self.used.append(value)
        return value


def read_targets(table: Table, environ: Mapping[str, str]) -> tuple[TargetSettings, ...]:
    """The targets by name; mistakes are noted."""
    found = []
    for name in list(table.keys()):
        value = table.take(name)
        inner = table.inner(name, value)
        if NAME.fullmatch(name) is None:
            inner.note("", "is no name: use lower case letters, digits, - and _, at most 32")
        found.append(_target(name, inner, environ))
    if not found:
        table.note("", "there is none: add [targets.NAME]")
    return tuple(found)


def _target(name: str, table: Table, environ: Mapping[str, str]) -> TargetSettings:
    type_ = table.choice("type", TYPES)
    secrets = _Secrets(table, environ)
    options: dict[str, object] = {}
    if type_:
        options = _READERS[type_](table, secrets)
        options["ca_file"] = table.optional(
            "ca_file", lambda path: Path(path).is_file(), "a file that exists"
        )
    per_minute = table.integer("per_minute", 1, 6_000, _PER_MINUTE.get(type_, 20))
    queue = table.integer("queue", 10, 10_000, 1_000)
    if type_:
        fields = ("type", *(key for key in _FIELDS[type_]), "ca_file", "per_minute", "queue")
        table.done(", ".join(fields))
    return TargetSettings(
        name=name,
        type=type_,
        options=options,
        per_minute=per_minute,
        queue=queue,
        secrets=tuple(secrets.used),
    )


def _webhook(table: Table, secrets: _Secrets) -> dict[str, object]:
    return {
        "url": _url(table, secrets),
        "secret": secrets.read("secret_env", required=False),
    }


def _discord(table: Table, secrets: _Secrets) -> dict[str, object]:
    """The address of a Discord webhook is itself a secret."""
    value = secrets.read("url_env")
    if value is not None and not is_safe_url(value):
        table.note("url_env", "the variable holds no https:// address")
    return {"url": value}


def _telegram(table: Table, secrets: _Secrets) -> dict[str, object]:
    chat = table.take("chat")
    if type(chat) is int:
        chat = str(chat)
    if not isinstance(chat, str) or _CHAT.fullmatch(chat) is None:
        table.note("chat", 'is missing or not valid: write the number of the chat, or "@channel"')
    return {
        "api": table.text("api", is_safe_url, "an https:// address", "https://api.telegram.org"),
        "chat": chat,
        "token": secrets.read("token_env"),
    }


def _ntfy(table: Table, secrets: _Secrets) -> dict[str, object]:
    """The topic may be secret, because whoever knows it can read it."""
    if table.has("topic_env"):
        topic = secrets.read("topic_env")
        if topic is not None and _TOPIC.fullmatch(topic) is None:
            table.note("topic_env", "the variable holds no topic: letters, digits, - and _, at most 64")
    else:
        topic = table.text("topic", _TOPIC.fullmatch, "a topic, or topic_env for one from the environment")
    return {
        "url": table.text("url", is_safe_url, "an https:// address", "https://ntfy.sh"),
        "topic": topic,
        "token": secrets.read("token_env", required=False),
    }


def _email(table: Table, secrets: _Secrets) -> dict[str, object]:
    server = table.text("server", _HOST.fullmatch, "the host name of a mail server")
    security = table.choice("security", ("tls", "starttls", "none"), "tls")
    if security == "none" and server and not _is_here(server):
        table.note("security", "none is for a mail server on this machine: write tls or starttls")
    ports = {"tls": 465, "starttls": 587, "none": 25}
    user = table.optional("user", _TOKEN.fullmatch, "a user name")
    return {
        "server": server,
        "security": security,
        "port": table.integer("port", 1, 65_535, ports.get(security, 465)),
        "from": table.text("from", _MAIL.fullmatch, "an address like dex@example.com"),
        "to": table.names("to", _MAIL.fullmatch, "addresses like ops@example.com"),
        "user": user,
        "password": secrets.read("password_env") if user is not None else None,
    }


_READERS: Final[Mapping[str, Callable[[Table, _Secrets], dict[str, object]]]] = {
    "webhook": _webhook,
    "email": _email,
    "telegram": _telegram,
    "discord": _discord,
    "ntfy": _ntfy,
}
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "webhook": ("url or url_env", "secret_env"),
    "email": ("server", "port", "security", "from", "to", "user", "password_env"),
    "telegram": ("chat", "token_env", "api"),
    "discord": ("url_env",),
    "ntfy": ("url", "topic or topic_env", "token_env"),
}


def _url(table: Table, secrets: _Secrets) -> str | None:
    if not table.has("url_env"):
        return table.text("url", is_safe_url, "an https:// address, or url_env for one from the environment")
    value = secrets.read("url_env")
    if value is not None and not is_safe_url(value):
        table.note("url_env", "the variable holds no https:// address")
    return value


def is_safe_url(text: str) -> bool:
    """Whether it is https, or http to this machine."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return False
    if url.hostname is None or _TOKEN.fullmatch(text) is None:
        return False
    return url.scheme == "https" or (url.scheme == "http" and _is_here(url.hostname))


def _is_here(host: str) -> bool:
    """Whether it is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
