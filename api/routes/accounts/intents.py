"""/api/intents/<id> and /api/intents: what became of a signed transaction, or of one whose id was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from api.database import Snapshot
from api.http.errors import not_found
from api.http.formatting import iso
from api.http.paging import Cursors
from api.http.parameters import Id, PageParameters, Ref, User
from api.http.resource import Resource
from api.http.shapes import Answer, Block, NextCursor, Part, Time, choice
from api.routes.accounts.orders import RejectionCode, reason
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
    """One signed instruction. `code` and `error` say why a rejected one was; `order` is what it placed."""

    id: str
    user: str
    action: str
    status: Annotated[str, choice("accepted", "rejected")]
    code: RejectionCode | None
    error: str | None
    order: str | None
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


def _view(snapshot: Snapshot, ask: IntentParameters) -> Intents:
    cursors = Cursors("intents", ask.id)
    after = cursors.read(ask.cursor)
    page = list_intents(snapshot.connection, ask.id, after, ask.limit)
    if not page.rows and after is None:
        raise not_found(
            f"Nothing is known of {ask.id}. Its block may not be irreversible yet (that can take a minute), "
            "it may never have reached a block, or it holds nothing for this venue."
        )
    return Intents(
        *snapshot.stamp,
        id=ask.id,
        intents=[_intent(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _of_ref(snapshot: Snapshot, ask: RefParameters) -> IntentsOfRef:
    """Empty while nothing is known: whoever asks is waiting for it."""
    cursors = Cursors("intents", ask.user, ask.ref)
    account, after = find_account(snapshot.connection, ask.user), cursors.read(ask.cursor)
    page: Page[IntentRow] = Page([], None)
    if account is not None:
        page = list_intents_of_ref(snapshot.connection, account, ask.ref, after, ask.limit)
    return IntentsOfRef(
        *snapshot.stamp,
        user=ask.user,
        ref=ask.ref,
        intents=[_intent(row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def _intent(row: IntentRow) -> Intent:
    return Intent(
        id=row.id,
        user=decode(row.account),
        action=row.action,
        status="accepted" if row.code is None else "rejected",
        code=row.code,
        error=reason(row),
        order=None if row.seq is None else row.id,
        ref=row.ref,
        ts=None if row.timestamp is None else iso(row.timestamp),
        block=row.block,
    )


resource = Resource(
    "/api/intents/<id>",
    IntentParameters,
    Intents,
    "What became of a signed transaction.",
    _view,
    errors=("E_NOT_FOUND",),
    group="Account",
)
ref_resource = Resource(
    "/api/intents",
    RefParameters,
    IntentsOfRef,
    "What became of an intent, by the trader's own reference.",
    _of_ref,
    group="Account",
)
