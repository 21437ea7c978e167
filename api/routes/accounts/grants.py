"""/api/grants: the grants that an account has given, and those given to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.paging import Cursors
from api.http.parameters import PageParameters, User
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Count, NextCursor, Part, Time
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.intents import POSTING
from settlement.core.parsing.names import decode, encode
from settlement.store.read.accounts.grants import GrantRow, list_grants_to, read_grants
from settlement.store.read.paging import Page
from settlement.store.read.venue import find_account, read_tokens

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsParameters(PageParameters):
    user: User


class Allowance(Part, kw_only=True):
    """What may be locked of a token in one day (UTC)."""

    symbol: str
    per_day: Amount
    used_today: Annotated[Amount, Meta(description="On the day of `ts`.")]
    left_today: Amount


class GrantedPair(Part, kw_only=True):
    base: str
    quote: str


class Grant(Part, kw_only=True):
    """A grant in force: `to` may place and cancel orders for `user`, and take nothing out."""

    user: str
    to: Annotated[str, Meta(description="An account, or `posting`: the user's own posting key.")]
    pairs: list[GrantedPair]
    allowances: list[Allowance]
    band_bps: Annotated[Count, Meta(description="How far from the mark a price may be, in basis points.")]
    until: Time
    ts: Time
    block: Block


class Grants(Answer, kw_only=True):
    """`given` is complete on the first page, and empty on the others; the cursor pages `received`."""

    user: str
    given: Annotated[list[Grant], Meta(description="By the user, newest first.")]
    received: Annotated[list[Grant], Meta(description="By others to the user, newest first.")]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, params: GrantsParameters) -> Grants:
    connection, now = snapshot.connection, snapshot.timestamp or 0
    cursors = Cursors("grants", params.user)
    before = cursors.read(params.cursor)
    account = find_account(connection, params.user)
    given = [] if account is None or before is not None else read_grants(connection, account, now)
    page: Page[GrantRow] = Page([], None)
    if params.user != POSTING:  # no account of that name can receive one: `posting` is the signer's own key
        page = list_grants_to(connection, encode(params.user), now, before, params.limit)
    precisions = {token.symbol: token.precision for token in read_tokens(connection)}
    return Grants(
        *snapshot.stamp,
        user=params.user,
        given=[show_grant(row, precisions, now) for row in given],
        received=[show_grant(row, precisions, now) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def show_grant(row: GrantRow, precisions: Mapping[str, int], now: int) -> Grant:
    """A grant with what is left of it on the day of `now`. `precisions` by symbol."""
    used = row.used if row.day == now // DAY_SECONDS else {}
    pairs = (pair.partition("/") for pair in row.pairs)
    return Grant(
        user=decode(row.account),
        to=decode(row.to),
        pairs=[GrantedPair(base=base, quote=quote) for base, _, quote in pairs],
        allowances=[
            Allowance(
                symbol=symbol,
                per_day=show_units(units, precisions[symbol]),
                used_today=show_units(used.get(symbol, 0), precisions[symbol]),
                left_today=show_units(max(0, units - used.get(symbol, 0)), precisions[symbol]),
            )
            for symbol, units in row.per_day.items()
        ],
        band_bps=row.band_bps,
        until=iso(row.until),
        ts=iso(row.timestamp),
        block=row.block,
    )


resource = Resource(
    "/api/grants",
    GrantsParameters,
    Grants,
    "Grants in force: given by an account, and given to it.",
    _view,
    group="Account",
)
