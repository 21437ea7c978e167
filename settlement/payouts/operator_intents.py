"""Operations of the venue's operator (protocol, section 8)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from settlement.core.venue import Venue
from settlement.payouts.signing.transactions import Operation


def operator_action(venue: Venue, name: str, payload: Mapping[str, object]) -> Operation:
    """The `custom_json` of an operator's action."""
    action = {"contractName": venue.contract, "contractAction": name, "contractPayload": payload}
    return "custom_json", {
        "required_auths": [venue.operator],
        "required_posting_auths": [],
        "id": venue.custom_json_id,
        "json": json.dumps(action, separators=(",", ":")),
    }
