"""Giving a withdrawal back instead of paying it: stopped first, and signed for only when nothing can pay it.

What was signed before the stop may stand in no record: it was lost, or the database was replaced by an older
one. So nothing is asked of the records. A stop tells the chain's time at which it was made; what was signed
before that expires within the longest life of a transaction, and what the chain took of it by then the ledger
has read once it has read past that moment (docs/payouts.md, step 3 of the proof).
"""

from __future__ import annotations

import json

from sqlalchemy import Connection

from settlement.payouts.policy import LONGEST_SECONDS
from settlement.payouts.records import GIVEN_BACK, decide, read_stop
from settlement.store.queries.payouts import Claim
from settlement.store.queries.position import read_position
from settlement.venue import Venue


def stop(connection: Connection, claim: Claim, now: int) -> None:
    """Sign nothing for the claim from now on, seconds since 1970 by the chain. A stop that stands is kept."""
    if read_stop(connection, claim.ref) is None:
        decide(connection, claim.ref, GIVEN_BACK, now)


def safe_from(connection: Connection, claim: Claim, longest: int = LONGEST_SECONDS) -> int | None:
    """The time, by the chain, that the ledger must have read for the claim to be given back; None if nobody
    has stopped it. `longest`: seconds that a signed transaction can live."""
    stopped = read_stop(connection, claim.ref)
    return None if stopped is None else stopped + longest


def is_safe(connection: Connection, claim: Claim, longest: int = LONGEST_SECONDS) -> bool:
    """Whether nothing that was ever signed can pay the claim any more."""
    safe, position = safe_from(connection, claim, longest), read_position(connection)
    return safe is not None and position is not None and (position.timestamp or 0) >= safe


def operation(venue: Venue, claim: Claim) -> list[object]:
    """What the operator signs so that a withdrawal goes back to its account (protocol, section 8)."""
    action = {
        "contractName": venue.contract,
        "contractAction": "returnWithdrawal",
        "contractPayload": {"id": claim.id},
    }
    return [
        "custom_json",
        {
            "required_auths": [venue.operator],
            "required_posting_auths": [],
            "id": venue.custom_json_id,
            "json": json.dumps(action, separators=(",", ":")),
        },
    ]
