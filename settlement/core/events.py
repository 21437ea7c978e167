"""What a block can ask of the engine: token movements and signed actions (protocol, section 3).

The indexer decodes a block into these values; the engine alone decides what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Chain = Literal["hive", "hive-engine"]

HIVE: Final = "hive"
HIVE_ENGINE: Final = "hive-engine"


class JsonNumber(str):
    """A JSON number by its literal text, so that no float ever touches an amount (section 1)."""

    __slots__ = ()


class BlockHeader(NamedTuple):
    """The part of a Hive block that the rules depend on.

    `number` is the first four bytes of `block_id`; `timestamp` is in seconds since 1970 (UTC).
    """

    number: int
    block_id: str
    timestamp: int


class Movement(NamedTuple):
    """A native transfer, or a `transfer` event of the sidechain's receipts, from or to an escrow account.

    `id` is the id of its element, with `.1`, `.2` … for further movements of one element.
    `quantity` is the literal text. `memo` is the transfer's memo, or `contractPayload.memo` of the
    element where that is a string, else None. Names and symbols are raw text: nothing here is trusted.
    """

    id: str
    chain: Chain
    sender: str
    recipient: str
    symbol: str
    quantity: str
    memo: str | None


class Action(NamedTuple):
    """An element of a custom_json that is ours: an intent or an operator action (sections 4 and 8).

    `name` is `contractAction` as decoded from JSON, or `side` of a flat intent: any JSON value.
    `payload` is `contractPayload` (None where absent), or the whole flat object: any JSON value, its
    numbers as `JsonNumber`. `active` tells whether it was signed with the active key.
    """

    id: str
    signer: str
    active: bool
    name: object
    payload: object
    flat: bool = False


Event = Movement | Action


@dataclass(slots=True)
class Watch:
    """What the decoder looks for. The engine owns it and adds to `escrows` when a token is listed, so a
    lazily decoded block sees the new account from the next operation on (section 8)."""

    contract: str
    custom_json_id: str
    accept_flat_intents: bool
    escrows: set[str] = field(default_factory=set)
