"""Refused payments: executed in a block that the ledger has read, without settling the claim.

A claim that was refused r times is signed only in turns whose number is a multiple of 2^r, up to about a day
apart, and is held after MAX_REFUSALS. The turns of r + 1 are among those of r: so operators who have counted
differently still meet in the same turns, and a process without records tries more often, never otherwise.
Which payments exist in a turn does not depend on this (see `plan`): a refusal only withholds a signature.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from settlement.payouts.chain.broadcast_answers import classify
from settlement.payouts.payout_log import PayoutRecord, PayoutStatus
from settlement.payouts.plan import ClaimRef, slot_time, turn_number
from settlement.payouts.policy import Policy
from settlement.store.read.payouts import HELD, QUEUED, PayoutClaim

MAX_REFUSALS: Final = 12
"""A claim that was refused as often is held: with the default policy after about five days."""
_TRANSFER: Final = ("symbol", "to", "quantity", "memo")


class Refusals(NamedTuple):
    """Refused payments of a claim."""

    times: int
    reason: str  # the error of the newest


def read_refusals(
    records: Iterable[PayoutRecord], retry_from: Mapping[ClaimRef, int]
) -> dict[ClaimRef, Refusals]:
    """Refusals of each claim, from records in order of time.

    `retry_from`: chain time, by claim, of an operator's approval; earlier refusals do not count.
    """
    found: dict[ClaimRef, Refusals] = {}
    for record in records:
        for ref, reason in record.refusals.items():
            if record.expires > retry_from.get(ref, 0):
                found[ref] = Refusals(found[ref].times + 1 if ref in found else 1, reason)
    return found


def refusals_of(
    payment: PayoutRecord, claims: Sequence[PayoutClaim], errors: Sequence[str]
) -> dict[ClaimRef, str]:
    """Errors of a token payment's pending claims, from those of its actions in order."""
    payloads = [
        action["contractPayload"] for action in json.loads(str(payment.transaction.operations[0][1]["json"]))
    ]
    by_transfer = {
        tuple(payload[name] for name in _TRANSFER): error
        for payload, error in zip(payloads, errors, strict=False)
    }
    return {
        claim.ref: by_transfer.get((claim.symbol, claim.to, claim.quantity, claim.memo)) or "not executed"
        for claim in claims
    }


def rejection_of(record: PayoutRecord) -> str | None:
    """Why no node took an expired payment of coins, where that is the payment's own fault."""
    rejected = record.answer is not None and classify(record.answer.removeprefix("refused: ")) == "invalid"
    return record.answer if rejected else None


def is_tried(claim: PayoutClaim, slot: int, refusals: Refusals | None, policy: Policy) -> bool:
    """Whether a claim that was refused is tried in its turn in that slot."""
    if refusals is None:
        return True
    stride = stride_of(refusals.times, policy)
    return refusals.times < MAX_REFUSALS and turn_number(claim, slot, policy) % stride == 0


def refused_status(claim: PayoutClaim, refusals: Refusals, policy: Policy, turn: int) -> PayoutStatus:
    """Status of a claim that was refused. `turn`: the slot of its next turn."""
    often = "once" if refusals.times == 1 else f"{refusals.times} times, last"
    reason = f"refused {often}: {refusals.reason}"
    if refusals.times >= MAX_REFUSALS:
        return PayoutStatus(HELD, reason, None)
    missing = -turn_number(claim, turn, policy) % stride_of(refusals.times, policy)
    return PayoutStatus(QUEUED, reason, slot_time(turn + missing * policy.period))


def stride_of(times: int, policy: Policy) -> int:
    """Turns from one attempt to the next of a claim that was refused so often."""
    return min(1 << times, policy.max_stride)
