"""What the operator signs (protocol, section 8)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from settlement.core.venue import Venue


def operator_action(venue: Venue, name: str, payload: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The operation: its kind and its fields."""
    action = {"contractName": venue.contract, "contractAction": name, "contractPayload": payload}
    return "custom_json", {
        "required_auths": [venue.operator],
        "required_posting_auths": [],
        "id": venue.custom_json_id,
        "json": json.dumps(action, separators=(",", ":")),
    }
