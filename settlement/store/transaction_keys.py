"""How a random transaction id is found: by 64 bits of it, so that the index stays small and dense."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

_TRANSACTION_ID: Final = re.compile(r"([0-9a-f]{16})[0-9a-f]{24}(?![^-.#])")
_SUFFIX: Final = re.compile(r"[-.#]")


def transaction_key(intent_id: str) -> int:
    """The signed 64-bit look-up key of an intent's or order's transaction. Not unique: compare ids too."""
    match = _TRANSACTION_ID.match(intent_id)
    if match is not None:
        return int(match[1], 16) - 2**63
    transaction = _SUFFIX.split(intent_id, maxsplit=1)[0]
    return int(sha256(transaction.encode("utf-8", "surrogatepass")).hexdigest()[:16], 16) - 2**63
