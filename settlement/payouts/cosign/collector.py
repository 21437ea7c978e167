"""Signature collector: checks proposals of other operators and adds their signatures to our own payments.

Nothing is signed here. The payouts process signs what its own ledger requires, and records it; a proposal can
only add signatures to such a record. A proposal for anything else is refused with a reason for the operators.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select, update

from settlement.core.venue import Venue
from settlement.payouts.cosign.comparison import Later, Refused, explain_unsigned, quoted
from settlement.payouts.cosign.message import Proposal, Verdict
from settlement.payouts.payout_log import PayoutRecord, read_record, read_records
from settlement.payouts.policy import Policy
from settlement.payouts.signing.authority import ActiveAuthority, Authorities
from settlement.payouts.signing.transactions import SigningError, signer
from settlement.store import payout_schema, schema

UNAUTHENTICATED_CODES: Final = frozenset({"other_chain", "unknown_escrow", "bad_signature", "unknown_key"})
"""Codes of refusals of proposals that no operator of the account has signed."""


@dataclass
class SignatureCollector:
    """Accepts signatures for the payments recorded here. Thread-safe."""

    reader: Engine
    writer: Engine
    venue: Venue
    policy: Policy
    authorities: Authorities
    chain_id: str

    def receive(self, proposal: Proposal) -> Verdict:
        """Check a proposal; record its signatures if it is one of our own payments."""
        try:
            authority, signatures = self._check_signatures(proposal)
            with self.reader.connect() as connection:
                record = read_record(connection, proposal.transaction.id)
                if record is None or (record.escrow, record.slot) != (proposal.escrow, proposal.slot):
                    explain_unsigned(connection, proposal, self.venue, self.policy)
            weight, is_new = self._add(record.n, signatures, authority)
        except Later as error:
            return Verdict("later", error.code, str(error))
        except Refused as error:
            return Verdict("refused", error.code, str(error))
        code = "added" if is_new else "known"
        return Verdict("accepted", code, f"weight {weight} of {authority.threshold}")

    def may_differ(self, proposal: Proposal) -> bool:
        """Whether a `held` proposal may have another verdict by now: it was signed here, or has expired."""
        t = payout_schema.transactions.c
        recorded = select(t.n).where(t.id == proposal.transaction.id).scalar_subquery()
        with self.reader.connect() as connection:
            now, n = connection.execute(select(schema.cursor.c.timestamp, recorded)).one()
        return n is not None or (now or 0) >= proposal.transaction.expires

    def open_records(self) -> list[PayoutRecord]:
        """Our own payments that are not settled and have not expired."""
        with self.reader.connect() as connection:
            now = connection.scalar(select(schema.cursor.c.timestamp)) or 0
            return [record for record in read_records(connection) if record.expires > now]

    def proposal(self, record: PayoutRecord) -> Proposal:
        """The message for one of our own payments."""
        signatures = tuple(record.signatures.values())
        return Proposal(self.chain_id, record.escrow, record.slot, record.transaction, signatures)

    def _check_signatures(self, proposal: Proposal) -> tuple[ActiveAuthority, dict[str, str]]:
        """The account's authority, and the signatures by public key: all valid, of keys that count."""
        if proposal.chain_id != self.chain_id:
            raise Refused("other_chain", f"it is for the chain {quoted(proposal.chain_id)}")
        if proposal.escrow not in self.authorities.accounts:
            raise Refused("unknown_escrow", f"{quoted(proposal.escrow)} is not an escrow account")
        authority = self.authorities.get(proposal.escrow)
        if authority is None:
            raise Later("no_authority", f"the authority of {quoted(proposal.escrow)} is not known yet")
        signatures: dict[str, str] = {}
        for signature in proposal.signatures:
            try:
                public = signer(proposal.transaction, signature, self.chain_id)
            except SigningError as error:
                raise Refused("bad_signature", str(error)) from None
            if not authority.counts(public):
                raise Refused("unknown_key", f"{public} is not an active key of {proposal.escrow}")
            if public in signatures:
                raise Refused("bad_signature", f"it has two signatures by {public}")
            signatures[public] = signature
        return authority, signatures

    def _add(self, n: int, signatures: Mapping[str, str], authority: ActiveAuthority) -> tuple[int, bool]:
        """Record new signatures of a payment; returns the total weight, and whether any was new."""
        t = payout_schema.transactions
        with self.writer.begin() as connection:
            recorded = json.loads(connection.execute(select(t.c.signatures).where(t.c.n == n)).scalar_one())
            merged = {**signatures, **recorded}
            weight = authority.weight(merged)
            is_new = len(merged) > len(recorded)
            if is_new:
                values = {"signatures": json.dumps(merged), "weight": weight}
                connection.execute(update(t).where(t.c.n == n).values(values))
        return weight, is_new
