"""How a random transaction id is found: by 64 bits of it, so that the index stays small and dense."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

_TRANSACTION_ID: Final = re.compile(r"([0-9a-f]{16})[0-9a-f]{24}")


def transaction_key(intent_id: str) -> int:
    """The signed 64-bit look-up key of an intent's or order's transaction. Not unique: compare ids too."""
    transaction = re.split(r"[-.#]", intent_id, maxsplit=1)[0]
    match = _TRANSACTION_ID.fullmatch(transaction)
    digits = match[1] if match else sha256(transaction.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return int(digits, 16) - 2**63
