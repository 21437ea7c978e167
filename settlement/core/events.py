"""Input of the rules: token movements and signed actions, as decoded from a block (protocol, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Chain = Literal["hive", "hive-engine"]

HIVE: Final = "hive"
HIVE_ENGINE: Final = "hive-engine"


class JsonNumber(str):
    """A JSON number as its literal text, so that no amount passes through a float (section 1)."""

    __slots__ = ()


class BlockHeader(NamedTuple):
    """The fields of a Hive block that the rules depend on."""

    number: int  # also the first four bytes of `block_id`
    block_id: str  # 40 hex digits
    timestamp: int  # Unix seconds


class Movement(NamedTuple):
    """A native transfer, or a `tokens` event of a Hive-Engine receipt, from or to an escrow account.

    Names and symbols are untrusted text.
    """

    id: str  # the element's id; `.1`, `.2` … are appended for further movements of one element
    chain: Chain
    sender: str
    recipient: str
    symbol: str
    quantity: str  # literal text
    memo: str | None  # the transfer's memo, or `contractPayload.memo` where that is text
    outflow_only: bool = False  # a stake or a transfer to a contract: it can settle nothing


class Action(NamedTuple):
    """An intent or operator action: an element of a custom_json addressed to the venue (sections 4, 5 and 9).

    JSON values are as decoded, with numbers as `JsonNumber`.
    """

    id: str
    signer: str
    active: bool  # signed with the active key
    name: object  # `contractAction`, or `side` of a flat intent: any JSON value
    payload: object  # `contractPayload` (None where absent), or the whole flat object: any JSON value
    flat: bool = False  # a flat intent


Event = Movement | Action


@dataclass(frozen=True, slots=True)
class VenueFilter:
    """Which operations of a block concern the venue (section 4)."""

    contract: str  # contractName of the venue's actions
    custom_json_id: str
    accept_flat_intents: bool
    escrows: frozenset[str]  # escrow accounts; a venue never gets new ones
