"""/api/journal: the journal as text, in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.database import Snapshot
from api.http.errors import bad_input
from api.http.parameters import BlockNumber
from api.http.resource import PLAIN, Resource
from api.http.shapes import Text
from settlement.store.read.audit.journal import hash_before, read_range

MAX_BLOCKS: Final = 10_000
MAX_CHARS: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalParameters:
    from_: BlockNumber = 0
    to: BlockNumber | None = None


def _view(snapshot: Snapshot, params: JournalParameters) -> Text:
    last = snapshot.block if params.to is None else params.to
    snapshot.check_block(last)
    if params.from_ > last + 1:
        raise bad_input(f"from must be at most {last + 1}: to is {last}.")
    return journal_text(snapshot, params.from_, last)


def journal_text(
    snapshot: Snapshot, first: int, last: int, max_blocks: int = MAX_BLOCKS, max_chars: int = MAX_CHARS
) -> Text:
    """The first piece of the lines of blocks `first` to `last`, with the headers of /api/journal."""
    rows = read_range(snapshot.connection, first, last, max_blocks, max_chars)
    text = "".join(row.lines for row in rows)
    is_cut = len(rows) == max_blocks or len(text) >= max_chars
    before = hash_before(snapshot.connection, first)
    headers = {
        "X-Next-From": str(rows[-1].number + 1 if is_cut else last + 1),
        "X-Prev-Journal-Hash": before,
        "X-Journal-Hash": rows[-1].journal_hash if rows else before,
    }
    return Text(text, headers)


resource = Resource(
    "/api/journal",
    JournalParameters,
    Text,
    "The journal lines of a range of blocks, as text.",
    _view,
    errors=("E_BLOCK",),
    headers={
        "X-Next-From": "Value of `from` for the next piece; greater than `to` after the last piece.",
        "X-Prev-Journal-Hash": "Journal hash before the first line.",
        "X-Journal-Hash": "Journal hash after the last line.",
    },
    group="Audit",
    media=PLAIN,
)
