"""Cosigning messages: a payment proposal with signatures, and the verdict on one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

from settlement.payouts.signing import SigningError, Transaction

VERSION: Final = 1
MAX_SIGNATURES: Final = 40
_FIELDS: Final = {"peakedex_cosign", "chain_id", "escrow", "slot", "transaction", "signatures"}

Status = Literal["accepted", "later", "refused"]


class ProposalError(ValueError):
    """Not a valid proposal; the text says why."""


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
        if not isinstance(raw, Mapping) or raw.get("peakedex_cosign") != VERSION:
            raise ProposalError(f"not a cosigning message of version {VERSION}")
        if set(raw) != _FIELDS:
            raise ProposalError(f"the fields must be {', '.join(sorted(_FIELDS))}")
        escrow, slot, signatures, chain_id = (
            raw[name] for name in ("escrow", "slot", "signatures", "chain_id")
        )
        if not isinstance(escrow, str) or not isinstance(chain_id, str):
            raise ProposalError("escrow and chain_id must be strings")
        if isinstance(slot, bool) or not isinstance(slot, int) or not 0 <= slot < 1 << 32:
            raise ProposalError("slot must be a number")
        if not isinstance(signatures, list) or not all(isinstance(one, str) for one in signatures):
            raise ProposalError("signatures must be a list of strings")
        if not 0 < len(signatures) <= MAX_SIGNATURES:
            raise ProposalError(f"there must be 1 to {MAX_SIGNATURES} signatures")
        try:
            transaction = Transaction.of_json(raw["transaction"])
        except SigningError as error:
            raise ProposalError(str(error)) from None
        return cls(chain_id, escrow, slot, transaction, tuple(signatures))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of checking a proposal."""

    status: Status  # `accepted`: its signatures are recorded; `later`: check it again
    code: str  # see docs/payouts.md, "Refusals"
    reason: str
