"""Returning a withdrawal instead of paying it: payment is stopped first, the return is signed an hour later.

What was signed before the stop may be in no record: records can be lost, and databases restored from older
copies. So records are not consulted. A stop keeps the chain time at which it was made. Whatever was signed
before expires within the longest lifetime of a transaction; and once the ledger has read past that moment, it
has read every payment that the chain executed (docs/payouts.md, step 3 of the proof).
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from settlement.core.venue import Venue
from settlement.payouts.chain.chain_time import latest_time
from settlement.payouts.operator_intents import operator_action
from settlement.payouts.payout_log import RETURNING, read_returns, record_decision
from settlement.payouts.plan import ClaimRef
from settlement.payouts.policy import MAX_LIFETIME_SECONDS
from settlement.store.read.payouts import PayoutClaim


class PendingReturn(NamedTuple):
    """A withdrawal that is to be returned."""

    safe_from: int  # chain time that the ledger must have read before it is signed, seconds since 1970
    is_safe: bool  # whether it has


def start_return(connection: Connection, claim: PayoutClaim, head_time: int) -> None:
    """Stop signing payments of the claim from now on. An existing stop keeps its time.

    `head_time` is the nodes' and may be some time ago; what this database's process has signed meanwhile, it
    signed no later than the ledger time that this transaction reads.
    """
    if claim.ref not in read_returns(connection):
        record_decision(connection, claim.ref, RETURNING, latest_time(connection, head_time))


def pending_returns(
    connection: Connection, max_lifetime: int = MAX_LIFETIME_SECONDS
) -> dict[ClaimRef, PendingReturn]:
    """All claims that are being returned. `max_lifetime`: seconds that a signed transaction can live."""
    read_to = latest_time(connection, 0)
    return {
        ref: PendingReturn(since + max_lifetime, is_safe=read_to >= since + max_lifetime)
        for ref, since in read_returns(connection).items()
    }


def return_operation(venue: Venue, claim: PayoutClaim) -> list[object]:
    """The operation that the operator signs to return a withdrawal to its account."""
    return [*operator_action(venue, "returnWithdrawal", {"id": claim.id})]
