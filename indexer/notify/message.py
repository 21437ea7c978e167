"""Notifications, and the cleaning of untrusted text in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

Severity = Literal["info", "warning", "critical"]

MAX_TITLE: Final = 150
MAX_VALUE: Final = 400
"""Characters of a title, and of a field's value."""


class Notification(Struct, frozen=True):
    """A message for a person. Its texts are clean: single lines without control characters."""

    id: str  # the same when the message is repeated: receivers may drop the second one
    kind: str  # alarm, resolved, fill, deposit, withdrawal, price, change, dropped or test
    severity: Severity
    title: str
    fields: dict[str, str]
    ts: str  # ISO 8601, UTC: when it happened, by block time for what is on the chain

    @property
    def body(self) -> str:
        """The fields, the time and the id, one a line."""
        lines = {**self.fields, "time": self.ts, "id": self.id}
        return "\n".join(f"{name}: {value}" for name, value in lines.items())


def notification(
    id_: str, kind: str, title: str, fields: Mapping[str, object], ts: str, severity: Severity = "info"
) -> Notification:
    """A notification of cleaned texts; fields without a value are left out."""
    shown = {name: clean(str(value), MAX_VALUE) for name, value in fields.items() if value is not None}
    return Notification(clean(id_, MAX_VALUE), kind, severity, clean(title, MAX_TITLE), shown, ts)


def clean(text: str, max_characters: int) -> str:
    """Untrusted text as one line: no control, format or private characters, no repeated blanks, shortened.

    Format characters (category Cf) include those that reverse the direction of text or are invisible.
    """
    visible = "".join(
        " " if unicodedata.category(each)[0] in "CZ" else each for each in text[: 4 * max_characters]
    )
    line = " ".join(visible.split())
    return line if len(line) <= max_characters else f"{line[: max_characters - 1]}…"


def now() -> str:
    """This machine's time, ISO 8601 in UTC."""
    return f"{datetime.now(UTC).isoformat(timespec='seconds').removesuffix('+00:00')}Z"
