"""/api/state: the complete state at the end of a block, as text (docs/protocol.md, section 11)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from api.database import Snapshot
from api.http.parameters import BlockNumber
from api.http.resource import PLAIN, Resource
from api.http.shapes import Text
from settlement.store.read.audit.state_at_block import read_state_text


@dataclass(frozen=True, slots=True, kw_only=True)
class StateParameters:
    block: BlockNumber | None = None


def _view(snapshot: Snapshot, _: StateParameters) -> Text:
    text = read_state_text(snapshot.connection, snapshot.block)
    headers = {
        "X-State-Hash": sha256(text.encode()).hexdigest(),
        "X-Journal-Hash": snapshot.journal_hash or snapshot.at.venue_hash,
    }
    return Text(text, headers)


resource = Resource(
    "/api/state",
    StateParameters,
    Text,
    "The complete state at the end of a block, as text.",
    _view,
    errors=("E_BLOCK",),
    headers={
        "X-State-Hash": "State hash: SHA-256 of the text.",
        "X-Journal-Hash": "Journal hash of that block.",
    },
    group="Audit",
    media=PLAIN,
)
