"""64-bit lookup keys of transaction ids: an index over them is smaller and denser than one over the ids."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

_TRANSACTION_ID: Final = re.compile(r"([0-9a-f]{16})[0-9a-f]{24}(?![^-.#])")
_SUFFIX: Final = re.compile(r"[-.#]")


def transaction_key(intent_id: str) -> int:
    """Signed 64-bit lookup key of the transaction of an intent or order. Not unique: compare the ids too."""
    match = _TRANSACTION_ID.match(intent_id)
    if match is not None:
        return int(match[1], 16) - 2**63
    transaction = _SUFFIX.split(intent_id, maxsplit=1)[0]
    return int(sha256(transaction.encode("utf-8", "surrogatepass")).hexdigest()[:16], 16) - 2**63
