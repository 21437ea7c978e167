"""Classification of hived's errors about a broadcast transaction, by their texts.

hived writes `<name of the error>:<failed assertion>: <text>`. Each text below was recorded from a real node
(tests/data/real_nodes). An error that none of them fits may come from a gateway that lost the node's answer.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Cause = Literal[
    "duplicate",  # accepted before: the node has the transaction already, in its pool or in a block
    "expired",  # or it expires too far ahead; it may stand in a block all the same
    "reference",  # its reference block is not of the node's chain
    "authority",  # the signatures do not satisfy the account's authority
    "signature",  # one of them is not a valid signature
    "resources",  # the account lacks resource credits
    "funds",  # the account holds too little
    "missing_account",  # the recipient, or the sender, does not exist
    "pool_limit",  # too many custom_json of the account in one block
    "invalid",  # no node will ever accept this operation
    "request",  # the node does not understand the request, or does not serve the method
]

_TEXTS: Final[tuple[tuple[Cause, str], ...]] = (
    ("duplicate", r"Duplicate transaction check failed"),
    ("expired", r"transaction expiration exception|get_runtime_expiration|HIVE_MAX_TIME_UNTIL_SIGNATURE"),
    ("reference", r"transaction tapos exception"),
    ("authority", r"missing required (?:active|posting|owner) authority|irrelevant signature"),
    (
        "signature",
        r"[Dd]uplicate signature|signature is not canonical|ecdsa_recover|reconstruct public key"
        r"|Invalid hex character",
    ),
    ("resources", r"not enough RC|Not enough RC|not_enough_rc"),
    ("funds", r"does not have sufficient funds"),
    ("missing_account", r"Account \S+ doesn't exist|unknown key: \S+ of type"),
    ("pool_limit", r"custom json operation\(s\) this block"),
    ("request", r"Could not find (?:API|method)|^Bad Cast|^Parse Error:Unexpected"),
    ("invalid", r"^Assert Exception|^Parse Error|^unspecified:"),
)
_PATTERNS: Final = tuple((cause, re.compile(text)) for cause, text in _TEXTS)


def classify(text: str) -> Cause | None:
    """The cause of an error; None where the text is not one of hived's."""
    return next((cause for cause, pattern in _PATTERNS if pattern.search(text)), None)
