"""Payment plan: which transactions pay which claims, as a pure function of ledger rows, slot and policy.

A claim has at most one transaction in a slot, and the time between two attempts is longer than a
transaction's lifetime. Every process that plans a slot, at any time, builds the same bytes and so the same
transaction id, which the chain accepts once. So at-most-once payment needs no memory of what was signed; the
proof is in docs/payouts.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from sqlalchemy import Connection

from settlement.core.events import HIVE
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.parsing.names import NATIVE_PRECISION, is_account
from settlement.core.venue import Venue
from settlement.payouts.policy import DAY_SECONDS, HISTORY_SECONDS, HOUR_SECONDS, SLOT_SECONDS, Policy
from settlement.payouts.signing.transactions import Operation, Transaction
from settlement.store.read.payouts import (
    WITHDRAWAL,
    Ledger,
    PayoutClaim,
    Reference,
    read_ledger,
    read_reference,
)

MAX_ACTIONS: Final = 15
"""Transfers in one batch: the sidechain executes at most 20 actions of an account in a block."""
MAX_JSON_BYTES: Final = 8192
MAX_MEMO_BYTES: Final = 2047

PaymentKey = tuple[str, ...]
ClaimRef = tuple[int, int]


@dataclass(frozen=True)
class Payment:
    """An unsigned transaction that pays its members; the same for every process that plans the slot."""

    escrow: str
    slot: int
    members: tuple[PayoutClaim, ...]  # the claims that it pays, in the order of its actions
    transaction: Transaction
    reference: int  # number of the block that the transaction refers to
    limit_exceeded: str | None  # why it needs the operator's approval; None where it needs none

    @property
    def id(self) -> str:
        """The transaction's id."""
        return self.transaction.id


def build(connection: Connection, venue: Venue, policy: Policy, escrow: str, slot: int) -> list[Payment]:
    """The payments of one escrow account in a slot, from the current ledger."""
    ledger = read_ledger(connection, HISTORY_SECONDS)
    if ledger is None:
        return []
    payments = build_all(connection, ledger, venue, policy, slot)
    return [payment for payment in payments if payment.escrow == escrow]


def build_all(
    connection: Connection, ledger: Ledger, venue: Venue, policy: Policy, slot: int
) -> list[Payment]:
    """The payments of a slot. Empty before the ledger reaches the slot and after its transactions expire."""
    if not slot_time(slot) <= ledger.timestamp < expires(slot, policy):
        return []
    reference = read_reference(connection, slot_time(slot))
    return compose(ledger.claims, reference, venue, policy, slot)


# -- time -----------------------------------------------------------------------------------------


def slot_time(slot: int) -> int:
    """Start of a slot, in seconds since 1970 (chain time)."""
    return slot * SLOT_SECONDS


def slot_after(timestamp: int) -> int:
    """The first slot that begins after a time."""
    return timestamp // SLOT_SECONDS + 1


def latest_attempt(claim: PayoutClaim, policy: Policy, timestamp: int) -> int | None:
    """The latest slot at or before a time in which the claim has its turn; None before the first."""
    first, now = slot_after(claim.opened), timestamp // SLOT_SECONDS
    return None if now < first else now - (now - first) % policy.period


def turn_number(claim: PayoutClaim, slot: int, policy: Policy) -> int:
    """Number of a claim's turns before the one of that slot: 0 for its first."""
    return (slot - slot_after(claim.opened)) // policy.period


def expires(slot: int, policy: Policy) -> int:
    """Expiry of the transactions of a slot, in seconds since 1970."""
    return slot_time(slot) + policy.expires_in


# -- due claims -----------------------------------------------------------------------------------


def due(claims: Iterable[PayoutClaim], policy: Policy, slot: int) -> list[PayoutClaim]:
    """The claims that have their turn in a slot, oldest first.

    `claims` are in order of age and may include claims opened later. Of claims with the same payment key only
    the oldest is due, because the ledger settles that one with whatever payment arrives. So none is due while
    the oldest is returning, nor while a transaction of a closed one may still get into a block.
    """
    time = slot_time(slot)
    heads: dict[PaymentKey, PayoutClaim] = {}
    settling: set[PaymentKey] = set()
    for claim in claims:
        if is_pending(claim, time):
            heads.setdefault(claim.payment_key, claim)
        elif claim.closed is not None and time - policy.expires_in <= claim.closed < time:
            settling.add(claim.payment_key)
    return [
        claim
        for key, claim in heads.items()
        if key not in settling
        and (slot - slot_after(claim.opened)) % policy.period == 0
        and not is_returning(claim, time)
        and unpayable_reason(claim) is None
    ]


def is_pending(claim: PayoutClaim, time: int) -> bool:
    """Whether the claim is pending after the blocks before that time."""
    return claim.opened < time and (claim.closed is None or claim.closed >= time)


def is_returning(claim: PayoutClaim, time: int) -> bool:
    """Whether the return of the claim was asked for in the blocks before that time."""
    return claim.returning is not None and claim.returning < time


def unpayable_reason(claim: PayoutClaim) -> str | None:
    """Why no transaction may ever pay this claim; None where one may."""
    if claim.quantity is None:
        return "the quantity is not an amount that can be sent"
    if not is_account(claim.to) or claim.to == claim.escrow:
        return f"{claim.to!r} is not an account that can be paid"
    if claim.chain != HIVE:
        return None
    if not 0 < _mils(claim.quantity) <= MAX_UNITS:
        return "the quantity is not a valid amount of the coin"
    if is_executable(claim.memo):
        return "a sidechain could execute the memo with the escrow account's authority"
    if len(claim.memo.encode()) > MAX_MEMO_BYTES:
        return "the memo is too long"
    return None


def is_executable(memo: str) -> bool:
    """Whether Hive-Engine could run the memo of a coin transfer (protocol, section 10).

    JSON in it is an action of the sender, here the escrow account, with its active authority.
    """
    return memo.replace("\ufeff", " ").lstrip()[:1] in ("{", "[")


def over_limits(claims: Iterable[PayoutClaim], policy: Policy, time: int) -> dict[ClaimRef, str]:
    """The pending claims that need an approval as of a time, with the limit that they exceed.

    Payments of the preceding hour count against the hour limit, and so do older claims that need no approval.
    A claim of such a token that has been pending for a day needs one itself and no longer counts, so that a
    claim that is refused for ever does not use up the limit for ever.
    """
    limited = policy.limits.keys() | policy.hour_limits.keys()
    counted = [claim for claim in claims if claim.symbol in limited]
    total: dict[str, Fraction] = {}
    for claim in counted:
        if claim.is_paid and claim.closed is not None and time - HOUR_SECONDS <= claim.closed < time:
            total[claim.symbol] = total.get(claim.symbol, Fraction()) + amount(claim)
    over: dict[ClaimRef, str] = {}
    for claim in counted:
        if not is_pending(claim, time) or is_returning(claim, time):
            continue
        limit, hour_limit = (limits.get(claim.symbol) for limits in (policy.limits, policy.hour_limits))
        sum_ = total.get(claim.symbol, Fraction()) + amount(claim)
        if limit is not None and amount(claim) > limit:
            over[claim.ref] = "above the limit for one payout"
        elif hour_limit is not None and claim.opened < time - DAY_SECONDS:
            over[claim.ref] = "pending for more than a day, and the token has a limit for an hour"
        elif hour_limit is not None and sum_ > hour_limit:
            over[claim.ref] = "above the limit for an hour"
        else:
            total[claim.symbol] = sum_
    return over


def amount(claim: PayoutClaim) -> Fraction:
    """A claim's amount; 0 where its quantity is not an amount."""
    return Fraction(claim.quantity or 0)


# -- transactions ---------------------------------------------------------------------------------


def compose(
    claims: Sequence[PayoutClaim], reference: Reference | None, venue: Venue, policy: Policy, slot: int
) -> list[Payment]:
    """The payments of all escrow accounts in a slot, oldest first.

    `reference` is the newest recorded block before the slot. Each coin payment is a transaction of its own.
    Token payments in their first turn that nothing can hold back (to the requesting account, within the
    limits) are batched. All others are alone, so that holding one back neither delays others nor changes
    their bytes.
    """
    over = over_limits(claims, policy, slot_time(slot))
    payments: list[Payment] = []
    batches: dict[tuple[str, str], list[PayoutClaim]] = {}

    def pay(*members: PayoutClaim) -> None:
        assert reference is not None  # the block that opened a claim is recorded
        operation = _operation(members, venue)
        transaction = Transaction.after(reference.block_id, expires(slot, policy), operation)
        limit = over.get(members[0].ref)
        payments.append(Payment(members[0].escrow, slot, members, transaction, reference.number, limit))

    for claim in due(claims, policy, slot):
        is_first = turn_number(claim, slot, policy) == 0
        if claim.chain == HIVE or not is_first or _is_alone(claim, over):
            pay(claim)
        else:
            batches.setdefault((claim.escrow, claim.symbol), []).append(claim)
    for batch in batches.values():
        for members in _batches(in_rotation(batch)):
            pay(*members)
    return sorted(payments, key=lambda payment: _age(payment.members[0]))


def in_rotation(claims: Iterable[PayoutClaim]) -> list[PayoutClaim]:
    """The claims by accounts in turn: the oldest of each, then the second of each. Refunds come last."""
    ranks: Counter[tuple[bool, str]] = Counter()
    keyed: list[tuple[bool, int, tuple[int, int, int], PayoutClaim]] = []
    for claim in sorted(claims, key=_age):
        group = (claim.kind != WITHDRAWAL, claim.account)
        keyed.append((group[0], ranks[group], _age(claim), claim))
        ranks[group] += 1
    return [claim for *_, claim in sorted(keyed)]


def payments_in_rotation(payments: Iterable[Payment]) -> list[Payment]:
    """The payments by accounts in turn, each as that of its first member: see `in_rotation`."""
    by_first = {payment.members[0].ref: payment for payment in payments}  # a claim has one turn at a time
    return [by_first[claim.ref] for claim in in_rotation(payment.members[0] for payment in by_first.values())]


def _age(claim: PayoutClaim) -> tuple[int, int, int]:
    """Sort key: the oldest claim first."""
    return (claim.opened, claim.kind, claim.n)


def _is_alone(claim: PayoutClaim, over: dict[ClaimRef, str]) -> bool:
    return claim.kind != WITHDRAWAL or claim.to != claim.account or claim.ref in over


def _batches(claims: Sequence[PayoutClaim]) -> Iterator[Sequence[PayoutClaim]]:
    """Batches that fit into a custom_json and into the sidechain's limit per block."""
    batch: list[PayoutClaim] = []
    for claim in claims:
        if batch and (len(batch) == MAX_ACTIONS or len(_json([*batch, claim])) > MAX_JSON_BYTES):
            yield batch
            batch = []
        batch.append(claim)
    if batch:
        yield batch


def _operation(members: Sequence[PayoutClaim], venue: Venue) -> Operation:
    claim = members[0]
    if claim.chain == HIVE:
        coins = f"{_coin_text(claim)} {claim.symbol}"
        return "transfer", {"from": claim.escrow, "to": claim.to, "amount": coins, "memo": claim.memo}
    return "custom_json", {
        "required_auths": [claim.escrow],
        "required_posting_auths": [],
        "id": venue.custom_json_id,
        "json": _json(members),
    }


def _json(members: Sequence[PayoutClaim]) -> str:
    """A `tokens.transfer` for each member, as ASCII: as many bytes as characters."""
    elements = [
        {
            "contractName": "tokens",
            "contractAction": "transfer",
            "contractPayload": {
                "symbol": claim.symbol,
                "to": claim.to,
                "quantity": claim.quantity,
                "memo": claim.memo,
            },
        }
        for claim in members
    ]
    return json.dumps(elements, separators=(",", ":"))


def _mils(quantity: str) -> int:
    """The quantity in thousandths; 0 where it has more decimals."""
    mils = Fraction(quantity) * 10**NATIVE_PRECISION
    return mils.numerator if mils.denominator == 1 else 0


def _coin_text(claim: PayoutClaim) -> str:
    assert claim.quantity is not None
    whole, thousandths = divmod(_mils(claim.quantity), 10**NATIVE_PRECISION)
    return f"{whole}.{thousandths:03d}"
