"""Cosigning messages: a payment proposal with signatures, and the verdict on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

import msgspec
from msgspec import Meta

from settlement.net.http_client import one_line
from settlement.payouts.signing.transactions import SigningError, Transaction

VERSION: Final = 1

Status = Literal["accepted", "later", "refused"]


class ProposalError(ValueError):
    """Not a valid proposal; the text says why."""


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    peakedex_cosign: Literal[1]  # VERSION
    chain_id: str
    escrow: str
    slot: Annotated[int, Meta(ge=0, lt=1 << 32)]
    transaction: Any
    signatures: Annotated[list[str], Meta(min_length=1, max_length=40)]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A transaction with the signatures that an operator holds for it."""

    chain_id: str
    escrow: str
    slot: int
    transaction: Transaction
    signatures: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The message (docs/payouts.md, "k of n")."""
        return {
            "peakedex_cosign": VERSION,
            "chain_id": self.chain_id,
            "escrow": self.escrow,
            "slot": self.slot,
            "transaction": self.transaction.to_json(),
            "signatures": list(self.signatures),
        }

    @classmethod
    def of_json(cls, raw: object) -> Self:
        """The inverse of `to_json`. Raises ProposalError."""
        try:
            message = msgspec.convert(raw, _Message)
            transaction = Transaction.of_json(message.transaction)
        except (msgspec.ValidationError, SigningError) as error:
            raise ProposalError(f"not a cosigning message: {one_line(str(error))}") from None
        return cls(message.chain_id, message.escrow, message.slot, transaction, tuple(message.signatures))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of checking a proposal."""

    status: Status  # `accepted`: its signatures are recorded; `later`: check it again
    code: str  # see docs/payouts.md, "Refusals"
    reason: str
