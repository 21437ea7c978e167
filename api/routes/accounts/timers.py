"""/api/timers: the armed cancel-all timers of an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import User
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Part, Time
from settlement.core.parsing.names import decode
from settlement.store.read.accounts.timers import TimerRow, read_timers
from settlement.store.read.venue import find_account


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersParameters:
    user: User


class Timer(Part, kw_only=True):
    """When `due` comes, the orders that a `cancelAll` signed in the same way would close are cancelled."""

    by: Annotated[str, Meta(description="How it was set: active, posting, or the grantee's name.")]
    due: Time
    ts: Annotated[Time, Meta(description="When it was set.")]
    block: Block


class Timers(Answer, kw_only=True):
    user: str
    timers: Annotated[list[Timer], Meta(description="At most one for each way of signing, oldest first.")]


def _view(snapshot: Snapshot, params: TimersParameters) -> Timers:
    account = find_account(snapshot.connection, params.user)
    rows = [] if account is None else read_timers(snapshot.connection, account, snapshot.timestamp or 0)
    return Timers(*snapshot.stamp, user=params.user, timers=[show_timer(row) for row in rows])


def show_timer(row: TimerRow) -> Timer:
    return Timer(by=decode(row.by), due=iso(row.due), ts=iso(row.timestamp), block=row.block)


resource = Resource(
    "/api/timers",
    TimersParameters,
    Timers,
    "Armed cancel-all timers of an account.",
    _view,
    group="Account",
)
