"""What an examination finds: how bad it is, what was looked at, what was seen, and what to do about it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Level = Literal["ok", "warn", "fatal"]

SHORT_SECONDS: Final = 60


class Finding(NamedTuple):
    """`warn`: it works, but look after it. `fatal`: it does not work, or money is at stake."""

    level: Level
    check: str
    text: str
    cure: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well there."""
    return Finding("ok", check, text)


def warn(check: str, text: str, cure: str) -> Finding:
    """It works, but somebody should look after it."""
    return Finding("warn", check, text, cure)


def fatal(check: str, text: str, cure: str) -> Finding:
    """It does not work, or money is at stake."""
    return Finding("fatal", check, text, cure)


def span(seconds: float) -> str:
    """A length of time for people."""
    whole = round(abs(seconds))
    if whole <= 2 * SHORT_SECONDS:
        return f"{whole} s"
    minutes = whole // 60
    if minutes <= 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes <= 48 * 60 else f"{minutes // 1440} days"
