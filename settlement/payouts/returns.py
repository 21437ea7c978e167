"""Giving a withdrawal back instead of paying it: stopped first, and signed for only when nothing can pay it.

What was signed before the stop may stand in no record: it was lost, or the database was replaced by an older
one. So nothing is asked of the records. A stop tells the chain's time at which it was made; what was signed
before that expires within the longest life of a transaction, and what the chain took of it by then the ledger
has read once it has read past that moment (docs/payouts.md, step 3 of the proof).
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from settlement.core.venue import Venue
from settlement.payouts.chain_time import latest
from settlement.payouts.operator_intents import operator_action
from settlement.payouts.payout_log import GIVEN_BACK, decide, read_stops
from settlement.payouts.plan import Ref
from settlement.payouts.policy import LONGEST_SECONDS
from settlement.store.read.payouts import Claim


class Stopped(NamedTuple):
    """Of a claim that is stopped: the time, by the chain, that the ledger must have read for it to be given
    back, and whether it has."""

    safe_from: int
    is_safe: bool


def stop(connection: Connection, claim: Claim, head_time: int) -> None:
    """Sign nothing for the claim from now on. A stop that stands is kept.

    `head_time` is the nodes' and may be some time ago: what was signed meanwhile on this database was signed
    no later than its ledger has read in this very transaction.
    """
    if claim.ref not in read_stops(connection):
        decide(connection, claim.ref, GIVEN_BACK, latest(connection, head_time))


def stopped(connection: Connection, longest: int = LONGEST_SECONDS) -> dict[Ref, Stopped]:
    """All claims that are stopped. `longest`: seconds that a signed transaction can live."""
    read_to = latest(connection, 0)
    return {
        ref: Stopped(since + longest, is_safe=read_to >= since + longest)
        for ref, since in read_stops(connection).items()
    }


def operation(venue: Venue, claim: Claim) -> list[object]:
    """What the operator signs so that a withdrawal goes back to its account."""
    return [*operator_action(venue, "returnWithdrawal", {"id": claim.id})]
