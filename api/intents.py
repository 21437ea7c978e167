"""/api/intents/<id>: what became of a signed transaction."""

from __future__ import annotations

from dataclasses import dataclass

from api.database import Snapshot
from api.errors import not_found
from api.orders import reason
from api.paging import Cursors
from api.parameters import Id, PageParameters
from api.resource import Body, Resource
from api.show import iso
from settlement.names import decode
from settlement.store.queries.intents import IntentRow, list_intents


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentParameters(PageParameters):
    id: Id


def _view(snapshot: Snapshot, ask: IntentParameters) -> Body:
    cursors = Cursors("intents", ask.id)
    after = cursors.read(ask.cursor)
    page = list_intents(snapshot.connection, ask.id, after, ask.limit)
    if not page.rows and after is None:
        raise not_found(
            f"Nothing is known of {ask.id}. Its block may not be irreversible yet (that can take a minute), "
            "it may never have reached a block, or it holds nothing for this venue."
        )
    return {
        "id": ask.id,
        "intents": [_intent(row) for row in page.rows],
        "next_cursor": cursors.write(page.next_key),
    }


def _intent(row: IntentRow) -> Body:
    return {
        "id": row.id,
        "user": decode(row.account),
        "action": row.action,
        "status": "accepted" if row.code is None else "rejected",
        **reason(row),
        "order": None if row.seq is None else row.id,
        "ref": row.ref,
        "ts": None if row.timestamp is None else iso(row.timestamp),
        "block": row.block,
    }


resource = Resource("/api/intents/<id>", IntentParameters, _view, "What became of a signed transaction.")
