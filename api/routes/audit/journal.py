"""/api/journal: the journal as text, as auditors hash it, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.database import Snapshot
from api.http.errors import bad_input
from api.http.parameters import BlockNumber
from api.http.resource import PLAIN, Resource
from api.http.shapes import Text
from settlement.store.read.audit.journal_range import hash_before, read_range

MAX_BLOCKS: Final = 10_000
MAX_CHARS: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalParameters:
    from_: BlockNumber = 0
    to: BlockNumber | None = None


def _view(snapshot: Snapshot, ask: JournalParameters) -> Text:
    last = snapshot.block if ask.to is None else ask.to
    snapshot.check_block(last)
    if ask.from_ > last + 1:
        raise bad_input(f"from must not be greater than to, {last} here, and one.")
    rows = read_range(snapshot.connection, ask.from_, last, MAX_BLOCKS, MAX_CHARS)
    text = "".join(row.lines for row in rows)
    is_cut = len(rows) == MAX_BLOCKS or len(text) >= MAX_CHARS
    before = hash_before(snapshot.connection, ask.from_)
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
    "The journal from one block to another, as text.",
    _view,
    errors=("E_BLOCK",),
    headers={
        "X-Next-From": "The block to ask on from: not above `to` where the answer was cut short.",
        "X-Prev-Journal-Hash": "The journal hash before the text's first line.",
        "X-Journal-Hash": "The journal hash after its last line.",
    },
    group="Audit",
    media=PLAIN,
)
