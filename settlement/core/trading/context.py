"""Context of an intent that is being decided: for whom it acts, by which right (protocol, section 6)."""

from __future__ import annotations

from dataclasses import dataclass

from settlement.core.accounts import Account, Grant
from settlement.core.journal.lines import accept_text
from settlement.core.parsing.intents import ACTIVE
from settlement.core.state import State


@dataclass(slots=True, init=False)
class Context:
    """An intent being decided: where it stands, and for whom it acts by which right."""

    id: str
    ref: str | None  # the trader's reference
    account: Account  # the account acted for
    by: str  # `active`, `posting`, or the name of the grantee
    grant: Grant | None  # None where the account's own active key signed
    now: int  # the block's time, Unix seconds
    block: int  # its number

    # Written out, because mypyc does not compile the constructor of a dataclass.
    def __init__(
        self, id: str, ref: str | None, account: Account, grant: Grant | None, now: int, block: int
    ) -> None:
        self.id = id
        self.ref = ref
        self.account = account
        self.by = ACTIVE if grant is None else grant.to
        self.grant = grant
        self.now = now
        self.block = block


def accept(state: State, context: Context, action: str) -> None:
    """Write the `accept` line of an intent."""
    text = accept_text(context.id, context.account.name, context.by, action, context.ref)
    state.changes.journal.append(text)
