"""/api/intents/<id> and /api/intents: results of signed intents, by transaction id or by client reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import not_found
from api.http.formatting import iso
from api.http.paging import Cursors
from api.http.parameters import Id, PageParameters, Ref, User
from api.http.resource import Resource
from api.http.shapes import Answer, Block, NextCursor, Part, Time, choice
from api.routes.accounts.orders import Fired, RejectionCode, reason, show_fired
from settlement.core.parsing.names import decode
from settlement.store.read.accounts.intents import IntentRow, list_intents, list_intents_of_ref
from settlement.store.read.paging import Page
from settlement.store.read.venue import find_account


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentParameters(PageParameters):
    id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class RefParameters(PageParameters):
    user: User
    ref: Ref


class Intent(Part, kw_only=True):
    """A signed intent. `code` and `error`: why it was rejected. `order`: id of the order or stop it placed.

    `fired`: what became of that stop, or of the order's protective stop, when it fired.
    """

    id: str
    user: Annotated[str, Meta(description="The account acted for; of a rejected intent the signer.")]
    by: Annotated[
        str | None,
        Meta(
            description="How it was signed: active, posting, or the grantee's name; null if it was rejected."
        ),
    ]
    action: str
    status: Annotated[str, choice("accepted", "rejected")]
    code: RejectionCode | None
    error: str | None
    order: str | None
    fired: Fired | None
    ref: str | None
    ts: Time | None
    block: Block


class Intents(Answer, kw_only=True):
    id: str
    intents: list[Intent]
    next_cursor: NextCursor


class IntentsOfRef(Answer, kw_only=True):
    user: str
    ref: str
    intents: list[Intent]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, params: IntentParameters) -> Intents:
    cursors = Cursors("intents", params.id)
    after = cursors.read(params.cursor)
    page = list_intents(snapshot.connection, params.id, after, params.limit)
    if not page.rows and after is None:
        raise not_found(
            f"Transaction {params.id} is unknown. Its block may not be irreversible yet (up to a minute), "
            "it may never have been included in a block, or it has no intent for this venue."
        )
    return Intents(
        *snapshot.stamp,
        id=params.id,
        intents=[_intent(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _of_ref(snapshot: Snapshot, params: RefParameters) -> IntentsOfRef:
    """An empty list while the reference is unknown: the client polls for it."""
    cursors = Cursors("intents", params.user, params.ref)
    account, after = find_account(snapshot.connection, params.user), cursors.read(params.cursor)
    page: Page[IntentRow] = Page([], None)
    if account is not None:
        page = list_intents_of_ref(snapshot.connection, account, params.ref, after, params.limit)
    return IntentsOfRef(
        *snapshot.stamp,
        user=params.user,
        ref=params.ref,
        intents=[_intent(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _intent(row: IntentRow) -> Intent:
    return Intent(
        id=row.id,
        user=decode(row.account),
        by=None if row.by is None else decode(row.by),
        action=row.action,
        status="accepted" if row.code is None else "rejected",
        code=row.code,
        error=reason(row),
        order=None if row.seq is None else row.id,
        fired=_fired(row),
        ref=row.ref,
        ts=None if row.timestamp is None else iso(row.timestamp),
        block=row.block,
    )


def _fired(row: IntentRow) -> Fired | None:
    return show_fired(row.id, row.placed_stop, row.fired_code, row.fired_seq)


resource = Resource(
    "/api/intents/<id>",
    IntentParameters,
    Intents,
    "Results of the intents in a transaction.",
    _view,
    errors=("E_NOT_FOUND",),
    group="Account",
)
ref_resource = Resource(
    "/api/intents",
    RefParameters,
    IntentsOfRef,
    "Results of intents, by the trader's client reference.",
    _of_ref,
    group="Account",
)
