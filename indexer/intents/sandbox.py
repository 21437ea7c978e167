"""The rules, asked what they decide about an action on an empty exchange."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from indexer.intents.actions import ActionSpec
from settlement.core.codes import Code
from settlement.core.events import Action, BlockHeader, Event, JsonNumber
from settlement.core.journal.lines import Reject
from settlement.core.state_machine import StateMachine
from settlement.core.trading.grants import MAX_GRANT_SECONDS
from settlement.core.venue import Venue

A_TRADER: Final = "a-trader"
"""Signer of an action whose signer is not known yet."""
_ID: Final = "f" * 40
_NO_BLOCK_ID: Final = "0" * 40

Payload = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Situation:
    """Where and when an action is checked, and who signs it."""

    venue: Venue
    now: int  # Unix seconds
    signer: str | None = None  # None while it is not known
    posting: bool = False  # signed with the posting key, else with the active key

    def signer_of(self, spec: ActionSpec) -> str:
        """The signer, or one who may sign it."""
        return self.signer or (self.venue.operator if spec.by_operator else A_TRADER)


def decide(
    spec: ActionSpec,
    payload: Payload,
    situation: Situation,
    first: Iterable[Event] = (),
    *,
    by_grant: bool = False,
) -> Code | None:
    """The code with which the rules reject an action on an empty exchange, after other events."""
    venue = situation.venue
    active = not (by_grant and situation.posting)
    action = Action(_ID, situation.signer_of(spec), active, spec.name, on_chain(payload))
    entry = StateMachine(venue).apply(
        BlockHeader(venue.first_block, _NO_BLOCK_ID, situation.now), [*first, action]
    )
    rejected = [line for line in entry.lines() if isinstance(line, Reject) and line.id == _ID]
    return Code(rejected[0].code) if rejected else None


def on_chain(payload: Payload) -> object:
    """The payload as decoded from the chain's JSON."""
    return json.loads(json.dumps(payload), parse_int=JsonNumber, parse_float=JsonNumber)


def shortest(spec: ActionSpec, situation: Situation) -> dict[str, object]:
    """The shortest valid payload there and then."""
    payload = spec.shortest()
    if "escrow" in payload:
        payload["escrow"] = min(situation.venue.escrows)
    if "until" in payload:
        payload["until"] = situation.now + MAX_GRANT_SECONDS
    return payload
