"""Context of an intent that is being decided: for whom it acts, by which right (protocol, section 6)."""

from __future__ import annotations

from typing import NamedTuple

from settlement.core.accounts import Account, Grant
from settlement.core.journal import lines
from settlement.core.state import State


class Context(NamedTuple):
    """An intent being decided: where it stands, and for whom it acts by which right."""

    id: str
    ref: str | None  # the trader's reference
    account: Account  # the account acted for
    by: str  # `active`, `posting`, or the name of the grantee
    grant: Grant | None  # None where the account's own active key signed
    now: int  # the block's time, Unix seconds
    block: int  # its number


def accept(state: State, context: Context, action: str) -> None:
    """Write the `accept` line of an intent."""
    state.write(lines.Accept(context.id, context.account.name, context.by, action, context.ref))
