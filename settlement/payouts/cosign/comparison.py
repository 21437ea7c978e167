"""Explains why this process has not signed a proposed payment: compares it with the ledger and the plan.

The comparison is for operators to see who differs in what. Nothing is signed because of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple, NoReturn

from sqlalchemy import Connection, select

from settlement.core.journal.lines import iso_time
from settlement.core.parsing.amounts import read_decimal
from settlement.core.venue import Venue
from settlement.payouts.cosign.message import Proposal
from settlement.payouts.plan import ClaimRef, Payment, amount, build, due, expires, is_pending, slot_time
from settlement.payouts.policy import HISTORY_SECONDS, MAX_LIFETIME_SECONDS, Policy
from settlement.payouts.signing.transactions import Transaction
from settlement.store import schema
from settlement.store.read.payouts import Ledger, PayoutClaim, read_ledger

_SHOWN_CHARACTERS: Final = 60


class Refused(Exception):
    """The proposal is refused: a code, and the reason as text."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Later(Refused):
    """The proposal cannot be accepted yet."""


class Transfer(NamedTuple):
    """A transfer that a proposal makes; untrusted text."""

    symbol: str
    to: str
    quantity: str
    memo: str


def explain_unsigned(connection: Connection, proposal: Proposal, venue: Venue, policy: Policy) -> NoReturn:
    """Raise Refused or Later for a proposal that is not among the payments signed here."""
    begins, now = slot_time(proposal.slot), connection.scalar(select(schema.cursor.c.timestamp))
    if now is None or now < begins:
        if now is not None and begins - now > MAX_LIFETIME_SECONDS:
            raise Refused("future", f"its slot begins at {iso_time(begins)}Z, far in the future")
        raise Later("behind", f"its slot begins at {iso_time(begins)}Z, and the ledger here is behind")
    ledger = read_ledger(connection, HISTORY_SECONDS)
    end = min(proposal.transaction.expires, expires(proposal.slot, policy))
    if ledger is None or ledger.timestamp >= end:
        raise Refused("expired", f"it expired at {proposal.transaction.expiration}Z")
    planned = build(connection, venue, policy, proposal.escrow, proposal.slot)
    if any(payment.id == proposal.transaction.id for payment in planned):
        raise Later("held", "the ledger here requires it too, but this process has not signed it")
    for transfer in _transfers(proposal.transaction, proposal.escrow, venue.custom_json_id):
        _check_transfer(transfer, proposal, ledger, policy)
    _compare_transactions(proposal, planned, policy)


def quoted(text: str) -> str:
    """Untrusted text, shortened and safe for one line."""
    return f"{text[:_SHOWN_CHARACTERS]!a}"


def _compare_transactions(proposal: Proposal, planned: Sequence[Payment], policy: Policy) -> NoReturn:
    """Raise Refused for a proposal that makes correct transfers in another transaction than planned."""
    theirs = proposal.transaction
    if theirs.expires - slot_time(proposal.slot) > MAX_LIFETIME_SECONDS:
        raise Refused("long_lived", f"no payment may live for more than {MAX_LIFETIME_SECONDS} seconds")
    if theirs.expires != expires(proposal.slot, policy):
        lifetime = theirs.expires - slot_time(proposal.slot)
        raise Refused(
            "other_policy", f"its lifetime is {lifetime} seconds, here it is {policy.expires_in} seconds"
        )
    reference = (theirs.ref_block_num, theirs.ref_block_prefix)
    ours = {(one.transaction.ref_block_num, one.transaction.ref_block_prefix) for one in planned}
    if reference not in ours:
        raise Refused("other_reference", "it refers to another block than the ledger here")
    raise Refused(
        "other_composition",
        "it pays the same claims in other transactions than planned here: compare limits and program version",
    )


def _transfers(transaction: Transaction, escrow: str, custom_json_id: str) -> list[Transfer]:
    """The transfers out of an escrow account. Raises Refused where the transaction does anything else."""
    if len(transaction.operations) != 1:
        raise Refused("other_operation", f"it has {len(transaction.operations)} operations, not one")
    name, value = transaction.operations[0]
    try:
        if name == "transfer":
            found = [_coin_transfer(value)]
            sender = value["from"]
        else:
            found = list(_token_transfers(str(value["json"])))
            sender = value["required_auths"]
            if value["id"] != custom_json_id or value["required_posting_auths"] != []:
                raise ValueError("another custom_json")
    except (KeyError, TypeError, ValueError, RecursionError):
        raise Refused("other_operation", "it does something other than transfers") from None
    if sender not in (escrow, [escrow]) or not found:
        raise Refused("other_operation", f"it is not a transfer out of {escrow}")
    return found


def _coin_transfer(value: Mapping[str, object]) -> Transfer:
    quantity, _, symbol = str(value["amount"]).partition(" ")
    return Transfer(symbol, str(value["to"]), quantity, str(value["memo"]))


def _token_transfers(text: str) -> Iterator[Transfer]:
    elements = json.loads(text)
    if not isinstance(elements, list):
        raise TypeError("not an array")
    for element in elements:
        if (element["contractName"], element["contractAction"]) != ("tokens", "transfer"):
            raise ValueError("another action")
        payload = element["contractPayload"]
        yield Transfer(*(str(payload[name]) for name in ("symbol", "to", "quantity", "memo")))


def _check_transfer(transfer: Transfer, proposal: Proposal, ledger: Ledger, policy: Policy) -> None:
    """Raise Refused unless a claim of the ledger requires exactly this transfer in this slot."""
    shown = f"{quoted(transfer.quantity)} {quoted(transfer.symbol)} to {quoted(transfer.to)}"
    claims = [
        claim
        for claim in ledger.claims
        if (claim.escrow, claim.symbol, claim.memo) == (proposal.escrow, transfer.symbol, transfer.memo)
    ]
    if not claims:
        raise Refused(
            "unknown_claim",
            f"no withdrawal or refund requires {shown} with the memo {quoted(transfer.memo)}",
        )
    same_recipient = [claim for claim in claims if claim.to == transfer.to]
    if not same_recipient:
        raise Refused(
            "other_recipient", f"{claims[0].id} is for {claims[0].to}, not for {quoted(transfer.to)}"
        )
    same = [claim for claim in same_recipient if _is_same_amount(claim, transfer)]
    if not same:
        claim = same_recipient[0]
        raise Refused("other_amount", f"{claim.id} is for {claim.quantity}, not for {shown}")
    pending = [claim for claim in same if claim.closed is None]
    if not pending:
        raise Refused("not_pending", f"{same[0].id} is settled already")
    # Of claims that look alike the ledger settles the oldest with whatever payment arrives.
    if pending[0].returning is not None:
        asked = iso_time(pending[0].returning)
        raise Refused("returning", f"{pending[0].id} is being returned: that was asked for at {asked}Z")
    turn: set[ClaimRef] = {claim.ref for claim in due(ledger.claims, policy, proposal.slot)}
    if not any(claim.ref in turn and is_pending(claim, slot_time(proposal.slot)) for claim in same):
        raise Refused("other_turn", f"{same[0].id} is not due in slot {proposal.slot}")


def _is_same_amount(claim: PayoutClaim, transfer: Transfer) -> bool:
    return read_decimal(transfer.quantity) is not None and Fraction(transfer.quantity) == amount(claim)
