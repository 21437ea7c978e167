"""k of n: signatures of the other operators, checked and put beside ours.

Nothing here signs. The payouts process signs what its own ledger demands, and records it; what another
operator sends can only add a signature to such a record. So the worst that any message can do is nothing.
A proposal that is not among our records is refused with the reason, for people to see who differs in what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, NamedTuple, Self

from sqlalchemy import Connection, Engine, select, update

from settlement.core.journal.text import iso_time
from settlement.core.parsing.amounts import read_decimal
from settlement.core.venue import Venue
from settlement.payouts.authority import Authorities, Rule
from settlement.payouts.payout_log import Record, read_record, read_records
from settlement.payouts.plan import Payment, build, due, expires, is_pending, slot_time
from settlement.payouts.policy import HISTORY_SECONDS, LONGEST_SECONDS, Policy
from settlement.payouts.signing import SigningError, Transaction, signer
from settlement.store import schema
from settlement.store.read.payouts import Claim, Ledger, read_ledger

VERSION: Final = 1
MOST_SIGNATURES: Final = 40
STRANGERS: Final = frozenset({"other_chain", "unknown_escrow", "bad_signature", "stranger"})
"""Codes of refusals of what no operator of the account has signed."""
_SHOWN: Final = 60
_FIELDS: Final = {"peakedex_cosign", "chain_id", "escrow", "slot", "transaction", "signatures"}

Status = Literal["taken", "later", "refused"]


class ProposalError(ValueError):
    """Not a proposal: why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A transaction with the signatures that an operator has for it, as it travels."""

    chain_id: str
    escrow: str
    slot: int
    transaction: Transaction
    signatures: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
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
        """What `to_json` gave. Raises ProposalError."""
        if not isinstance(raw, Mapping) or raw.get("peakedex_cosign") != VERSION:
            raise ProposalError(f"not a cosigning message of version {VERSION}")
        if set(raw) != _FIELDS:
            raise ProposalError(f"its fields must be {', '.join(sorted(_FIELDS))}")
        escrow, slot, signatures, chain_id = (
            raw[name] for name in ("escrow", "slot", "signatures", "chain_id")
        )
        if not isinstance(escrow, str) or not isinstance(chain_id, str):
            raise ProposalError("escrow and chain_id are texts")
        if isinstance(slot, bool) or not isinstance(slot, int) or not 0 <= slot < 1 << 32:
            raise ProposalError("slot is a number")
        if not isinstance(signatures, list) or not all(isinstance(one, str) for one in signatures):
            raise ProposalError("signatures is a list of texts")
        if not 0 < len(signatures) <= MOST_SIGNATURES:
            raise ProposalError(f"it carries 1 to {MOST_SIGNATURES} signatures")
        try:
            transaction = Transaction.of_json(raw["transaction"])
        except SigningError as error:
            raise ProposalError(str(error)) from None
        return cls(chain_id, escrow, slot, transaction, tuple(signatures))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a proposal. `taken`: its signatures are among ours, which `signatures` lists."""

    status: Status
    code: str
    text: str
    signatures: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "status": self.status,
            "code": self.code,
            "reason": self.text,
            "signatures": list(self.signatures),
        }


class _Refused(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Later(_Refused):
    pass


@dataclass
class Desk:
    """Where proposals arrive, by file or by HTTP. For several threads at once."""

    reader: Engine
    writer: Engine
    venue: Venue
    policy: Policy
    authorities: Authorities
    chain_id: str

    def take(self, proposal: Proposal) -> Verdict:
        """Check a proposal; its signatures go beside ours if it is one of our own payments."""
        try:
            rule, signed = self._check_signatures(proposal)
            with self.reader.connect() as connection:
                record = read_record(connection, proposal.transaction.id)
                if record is None or (record.escrow, record.slot) != (proposal.escrow, proposal.slot):
                    self._explain(connection, proposal)
            held, is_new = self._add(proposal.transaction.id, signed, rule)
        except _Later as error:
            return Verdict("later", error.code, str(error))
        except _Refused as error:
            return Verdict("refused", error.code, str(error))
        text = f"weight {rule.weight(held)} of {rule.threshold}"
        return Verdict("taken", "added" if is_new else "known", text, tuple(held.values()))

    def open(self) -> list[Record]:
        """Our own payments that are still wanted, and may still get into a block."""
        with self.reader.connect() as connection:
            now = connection.scalar(select(schema.cursor.c.timestamp)) or 0
            return [record for record in read_records(connection) if record.expires > now]

    def proposal(self, record: Record) -> Proposal:
        """One of our own payments, as it travels."""
        signatures = tuple(record.signatures.values())
        return Proposal(self.chain_id, record.escrow, record.slot, record.transaction, signatures)

    # -- checks ----------------------------------------------------------------------------------

    def _check_signatures(self, proposal: Proposal) -> tuple[Rule, dict[str, str]]:
        """The account's rule, and the signatures by key: each good, and of a key that counts."""
        if proposal.chain_id != self.chain_id:
            raise _Refused("other_chain", f"it is for the chain {_cut(proposal.chain_id)}")
        if proposal.escrow not in self.authorities.escrows:
            raise _Refused("unknown_escrow", f"{_cut(proposal.escrow)} is no escrow account of this venue")
        rule = self.authorities.rule(proposal.escrow)
        if rule is None:
            raise _Later("no_authority", f"the authority of {_cut(proposal.escrow)} is not known here yet")
        signed: dict[str, str] = {}
        for signature in proposal.signatures:
            try:
                public = signer(proposal.transaction, signature, self.chain_id)
            except SigningError as error:
                raise _Refused("bad_signature", str(error)) from None
            if not rule.counts(public):
                raise _Refused(
                    "stranger", f"{public} has signed it, which is no active key of {proposal.escrow}"
                )
            if public in signed:
                raise _Refused("bad_signature", f"{public} has signed it twice")
            signed[public] = signature
        return rule, signed

    def _explain(self, connection: Connection, proposal: Proposal) -> None:
        """Raise why this process has not signed such a transaction."""
        ledger = read_ledger(connection, HISTORY_SECONDS)
        begins = slot_time(proposal.slot)
        if ledger is None or ledger.timestamp < begins:
            now = 0 if ledger is None else ledger.timestamp
            if ledger is not None and begins - now > LONGEST_SECONDS:
                raise _Refused("future", f"its slot begins at {iso_time(begins)}Z, which is far off")
            raise _Later("behind", f"its slot begins at {iso_time(begins)}Z, and the ledger here is behind")
        if ledger.timestamp >= min(proposal.transaction.expires, expires(proposal.slot, self.policy)):
            raise _Refused("expired", f"its time was over at {proposal.transaction.expiration}Z")
        planned = build(connection, self.venue, self.policy, proposal.escrow, proposal.slot)
        if any(payment.id == proposal.transaction.id for payment in planned):
            raise _Later("held", "the ledger here demands it too, but this process has not signed it")
        self._compare(proposal, ledger, planned)

    def _compare(self, proposal: Proposal, ledger: Ledger, planned: Sequence[Payment]) -> None:
        """Raise the first thing in which a proposal differs from what is planned here."""
        theirs = _transfers(proposal.transaction, proposal.escrow, self.venue.custom_json_id)
        turn = {claim.ref for claim in due(ledger.claims, self.policy, proposal.slot)}
        for transfer in theirs:
            _check_transfer(transfer, proposal, ledger, turn)
        if proposal.transaction.expires != expires(proposal.slot, self.policy):
            life = proposal.transaction.expires - slot_time(proposal.slot)
            raise _Refused(
                "other_policy", f"it lives for {life} seconds, and {self.policy.expires_in} are agreed here"
            )
        reference = (proposal.transaction.ref_block_num, proposal.transaction.ref_block_prefix)
        ours = {(one.transaction.ref_block_num, one.transaction.ref_block_prefix) for one in planned}
        if reference not in ours:
            raise _Refused("other_reference", "it refers to another block than the ledger here")
        raise _Refused(
            "other_composition",
            "it pays the same claims in other transactions than planned here: are policy (limits) and "
            "program the same?",
        )

    def _add(self, ident: str, signed: Mapping[str, str], rule: Rule) -> tuple[Mapping[str, str], bool]:
        """All signatures of a recorded payment by key, these among them; and whether any is new."""
        t = schema.payout_transactions
        with self.writer.begin() as connection:
            record = read_record(connection, ident)
            assert record is not None  # records are never deleted
            held = {**signed, **record.signatures}
            is_new = len(held) > len(record.signatures)
            if is_new:
                values = {"signatures": json.dumps(held), "weight": rule.weight(held)}
                connection.execute(update(t).where(t.c.n == record.n).values(values))
        return held, is_new


# -- what a proposal pays -------------------------------------------------------------------------


class _Transfer(NamedTuple):
    symbol: str
    to: str
    quantity: str
    memo: str


def _transfers(transaction: Transaction, escrow: str, custom_json_id: str) -> list[_Transfer]:
    """What it moves out of an escrow account. Raises _Refused where it does anything else."""
    if len(transaction.operations) != 1:
        raise _Refused("other_operation", f"it holds {len(transaction.operations)} operations, not one")
    name, value = transaction.operations[0]
    try:
        if name == "transfer":
            found = [_coin(value)]
            sender = value["from"]
        else:
            found = list(_elements(str(value["json"])))
            sender = value["required_auths"]
            if value["id"] != custom_json_id or value["required_posting_auths"] != []:
                raise ValueError("another custom_json")
    except (KeyError, TypeError, ValueError, RecursionError):
        raise _Refused("other_operation", "it does something else than transfers") from None
    if sender not in (escrow, [escrow]) or not found:
        raise _Refused("other_operation", f"it is no transfer out of {escrow}")
    return found


def _coin(value: Mapping[str, object]) -> _Transfer:
    quantity, _, symbol = str(value["amount"]).partition(" ")
    return _Transfer(symbol, str(value["to"]), quantity, str(value["memo"]))


def _elements(text: str) -> Iterator[_Transfer]:
    elements = json.loads(text)
    if not isinstance(elements, list):
        raise TypeError("not an array")
    for element in elements:
        if (element["contractName"], element["contractAction"]) != ("tokens", "transfer"):
            raise ValueError("another action")
        payload = element["contractPayload"]
        yield _Transfer(*(str(payload[name]) for name in ("symbol", "to", "quantity", "memo")))


def _check_transfer(
    transfer: _Transfer, proposal: Proposal, ledger: Ledger, turn: set[tuple[int, int]]
) -> None:
    """Raise _Refused unless a claim of the ledger demands that very transfer in that slot."""
    shown = f"{_cut(transfer.quantity)} {_cut(transfer.symbol)} to {_cut(transfer.to)}"
    claims = [
        claim
        for claim in ledger.claims
        if (claim.escrow, claim.symbol, claim.memo) == (proposal.escrow, transfer.symbol, transfer.memo)
    ]
    if not claims:
        raise _Refused(
            "unknown_claim",
            f"no withdrawal or refund here asks for {shown} with the memo {_cut(transfer.memo)}",
        )
    mine = [claim for claim in claims if claim.to == transfer.to]
    if not mine:
        raise _Refused(
            "other_recipient", f"{claims[0].id} is for {claims[0].to}, not for {_cut(transfer.to)}"
        )
    same = [claim for claim in mine if _same_amount(claim, transfer)]
    if not same:
        raise _Refused("other_amount", f"{mine[0].id} is for {mine[0].quantity}, not for {shown}")
    if all(claim.closed is not None for claim in same):
        raise _Refused("not_pending", f"{same[0].id} is settled already")
    if not any(claim.ref in turn and is_pending(claim, slot_time(proposal.slot)) for claim in same):
        raise _Refused("other_turn", f"{same[0].id} has not its turn in slot {proposal.slot}")


def _same_amount(claim: Claim, transfer: _Transfer) -> bool:
    quantity = read_decimal(transfer.quantity)
    return quantity is not None and Fraction(quantity.mantissa, 10**quantity.places) == Fraction(
        claim.quantity or 0
    )


def _cut(text: str) -> str:
    """A stranger's text, fit for one line."""
    return f"{text[:_SHOWN]!a}"
