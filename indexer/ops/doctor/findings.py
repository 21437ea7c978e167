"""Findings of the self-check."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Level = Literal["ok", "warn", "fatal"]

SHORT_SECONDS: Final = 60


class Finding(NamedTuple):
    """Result of one check."""

    level: Level  # warn: it works, but needs attention; fatal: it does not work, or money is at risk
    check: str  # name of the check
    text: str
    cure: str = ""  # what to do about it; empty for ok


def ok(check: str, text: str) -> Finding:
    """Finding: the check passed."""
    return Finding("ok", check, text)


def warn(check: str, text: str, cure: str) -> Finding:
    """Finding: it works, but needs attention."""
    return Finding("warn", check, text, cure)


def fatal(check: str, text: str, cure: str) -> Finding:
    """Finding: it does not work, or money is at risk."""
    return Finding("fatal", check, text, cure)


def duration(seconds: float) -> str:
    """A duration for people."""
    whole = round(abs(seconds))
    if whole <= 2 * SHORT_SECONDS:
        return f"{whole} s"
    minutes = whole // 60
    if minutes <= 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes <= 48 * 60 else f"{minutes // 1440} days"
