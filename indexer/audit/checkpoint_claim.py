"""Checkpoint claims in a journal's text: the hashes that the operator publishes of a past block."""

from __future__ import annotations

import re
from typing import Final

from settlement.store.write.snapshot import CheckpointClaim

_CHECKPOINT: Final = re.compile(
    r"^accept (\S+) (\S+) \S+ checkpoint [^\n]*\ncheckpoint ([1-9][0-9]{0,9}) ([0-9a-f]{64}) ([0-9a-f]{64})$",
    re.MULTILINE,
)


def newest_claim(block: int, lines: str) -> CheckpointClaim | None:
    """The last checkpoint in a block's part of a journal."""
    if "\ncheckpoint " not in lines:
        return None
    found = None
    for each in _CHECKPOINT.finditer(lines):
        event_id, account, claimed, state_hash, journal_hash = each.groups()
        found = CheckpointClaim(event_id, account, block, int(claimed), state_hash, journal_hash)
    return found
