"""Points of the go-live checklist. Their numbers and titles are those of the sections of docs/go-live.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from indexer.ops.doctor.findings import Finding

Status = Literal["OK", "not yet", "cannot tell"]

TITLES: Final = (
    *("Server", "Nodes", "Venue file", "Accounts", "Authorities", "Keys", "Resource credits", "Tokens"),
    *("Start block", "Indexer", "Payouts", "Checkpoints", "Backups"),
    *("First deposit", "First trade", "First withdrawal", "First refund", "Books"),
)
"""Titles of the points, in their order from 1."""


class Point(NamedTuple):
    """Result of one point, or one of several problems with it."""

    number: int  # from 1
    title: str
    status: Status
    text: str
    cure: str = ""  # what to do about it; empty for OK


class Section:
    """Makes the results of one point."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.number = TITLES.index(title) + 1

    def ok(self, text: str) -> Point:
        """The point is fulfilled."""
        return Point(self.number, self.title, "OK", text)

    def not_yet(self, text: str, cure: str) -> Point:
        """The point is not fulfilled."""
        return Point(self.number, self.title, "not yet", text, cure)

    def unknown(self, text: str, cure: str) -> Point:
        """Whether it is fulfilled cannot be told."""
        return Point(self.number, self.title, "cannot tell", text, cure)

    def fatal(self, findings: Iterable[Finding], levels: tuple[str, ...] = ("fatal",)) -> list[Point]:
        """The findings of these levels as problems of the point."""
        return [self.not_yet(each.text, each.cure) for each in findings if each.level in levels]
