"""Which transactions pay which claims: a pure function of the ledger's rows, a slot and the policy.

Nobody needs to remember what was signed. For each claim there is at most one transaction in each slot, and
between the slots of two attempts lies more time than the first one lives. Whoever plans a slot, and whenever,
gets the same bytes and so the same transaction id, which the chain takes once. The proof stands in
docs/payouts.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from sqlalchemy import Connection

from settlement.core.events import HIVE
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.parsing.names import NATIVE_COINS, NATIVE_PRECISION, is_account, is_symbol
from settlement.core.venue import Venue
from settlement.payouts.policy import HISTORY_SECONDS, HOUR_SECONDS, SLOT_SECONDS, Policy
from settlement.payouts.signing import Operation, Transaction
from settlement.store.read.payouts import (
    WITHDRAWAL,
    Claim,
    Ledger,
    Reference,
    read_ledger,
    read_reference,
)

MOST_ACTIONS: Final = 15
"""Elements of one batch: the sidechain runs 20 actions of an account in a block."""
MOST_JSON_BYTES: Final = 8192
MOST_MEMO_BYTES: Final = 2047

Key = tuple[str, ...]
Ref = tuple[int, int]


@dataclass(frozen=True)
class Payment:
    """An unsigned transaction that pays its members, as everybody builds it for this escrow and slot.

    `reference` is the number of the block that it refers to. `over` says which limit it is above, None where
    it is within all.
    """

    escrow: str
    slot: int
    members: tuple[Claim, ...]
    transaction: Transaction
    reference: int
    over: str | None

    @property
    def id(self) -> str:
        """The transaction's id."""
        return self.transaction.id

    @property
    def is_token(self) -> bool:
        """Whether the sidechain counts its members as actions of the escrow account."""
        return self.transaction.operations[0][0] == "custom_json"


def build(connection: Connection, venue: Venue, policy: Policy, escrow: str, slot: int) -> list[Payment]:
    """As `build_all`, of one escrow account, out of the ledger as it stands."""
    ledger = read_ledger(connection, HISTORY_SECONDS)
    if ledger is None:
        return []
    payments = build_all(connection, ledger, venue, policy, slot)
    return [payment for payment in payments if payment.escrow == escrow]


def build_all(
    connection: Connection, ledger: Ledger, venue: Venue, policy: Policy, slot: int
) -> list[Payment]:
    """The payments of a slot. Empty if the ledger has not got so far, or is past all that they could do."""
    if not slot_time(slot) <= ledger.timestamp < expires(slot, policy):
        return []
    reference = read_reference(connection, slot_time(slot))
    return compose(ledger.claims, reference, venue, policy, slot)


# -- time -----------------------------------------------------------------------------------------


def slot_time(slot: int) -> int:
    """When a slot begins, in seconds since 1970 by the chain's time."""
    return slot * SLOT_SECONDS


def slot_after(timestamp: int) -> int:
    """The first slot that begins after that."""
    return timestamp // SLOT_SECONDS + 1


def attempt(claim: Claim, policy: Policy, timestamp: int) -> int | None:
    """The newest slot in which the claim has its turn, that begins no later than that; None before any."""
    first, now = slot_after(claim.opened), timestamp // SLOT_SECONDS
    return None if now < first else now - (now - first) % policy.period


def expires(slot: int, policy: Policy) -> int:
    """When the transactions of a slot expire."""
    return slot_time(slot) + policy.expires_in


# -- what is due ----------------------------------------------------------------------------------


def due(claims: Iterable[Claim], policy: Policy, slot: int) -> list[Claim]:
    """The claims whose turn it is in a slot, oldest first. `claims` come oldest first, and may be later ones.

    Of claims whose payments look alike the oldest alone is due, and none while a transaction for one that
    is closed may still get into a block: it would then pay another of them.
    """
    time = slot_time(slot)
    heads: dict[Key, Claim] = {}
    settling: set[Key] = set()
    for claim in claims:
        if is_pending(claim, time):
            heads.setdefault(claim.key, claim)
        elif claim.closed is not None and time - policy.expires_in <= claim.closed < time:
            settling.add(claim.key)
    return [
        claim
        for key, claim in heads.items()
        if key not in settling
        and (slot - slot_after(claim.opened)) % policy.period == 0
        and unpayable(claim) is None
    ]


def is_pending(claim: Claim, time: int) -> bool:
    """Whether the blocks before that time leave the claim pending."""
    return claim.opened < time and (claim.closed is None or claim.closed >= time)


def unpayable(claim: Claim) -> str | None:
    """Why no transaction can ever pay this claim, or ever should; None where one can."""
    if claim.quantity is None:
        return "its quantity is no amount that can be sent"
    if not is_account(claim.to) or claim.to == claim.escrow:
        return f"{claim.to!r} is no account that can be paid"
    if not claim.is_plain or not is_symbol(claim.symbol):
        return "there is no token of that symbol"
    if claim.chain != HIVE:
        return None
    if claim.symbol not in NATIVE_COINS or not 0 < _mils(claim.quantity) <= MAX_UNITS:
        return "its quantity is no amount of that coin"
    # Hive-Engine runs the JSON in a transfer's memo as an action of the sender: the escrow account.
    if claim.memo.lstrip()[:1] in ("{", "["):
        return "its memo could be run by a sidechain, with the escrow account's authority"
    if len(claim.memo.encode()) > MOST_MEMO_BYTES:
        return "its memo is too long"
    return None


def over_limits(claims: Iterable[Claim], policy: Policy, time: int) -> dict[Ref, str]:
    """Which pending claims need an approval as of a time, and which limit they are above.

    What was paid in the hour before counts, and all older claims that need no approval themselves.
    """
    limited = policy.limits.keys() | policy.hour_limits.keys()
    counted = [claim for claim in claims if claim.symbol in limited]
    total: dict[str, Fraction] = {}
    for claim in counted:
        if claim.is_paid and claim.closed is not None and time - HOUR_SECONDS <= claim.closed < time:
            total[claim.symbol] = total.get(claim.symbol, Fraction()) + amount(claim)
    over: dict[Ref, str] = {}
    for claim in counted:
        if not is_pending(claim, time):
            continue
        most, most_an_hour = (limits.get(claim.symbol) for limits in (policy.limits, policy.hour_limits))
        sum_ = total.get(claim.symbol, Fraction()) + amount(claim)
        if most is not None and amount(claim) > most:
            over[claim.ref] = "above the limit for one payout"
        elif most_an_hour is not None and sum_ > most_an_hour:
            over[claim.ref] = "above the limit for an hour"
        else:
            total[claim.symbol] = sum_
    return over


def amount(claim: Claim) -> Fraction:
    """A claim's amount; 0 where it is none."""
    return Fraction(claim.quantity or 0)


# -- transactions ---------------------------------------------------------------------------------


def compose(
    claims: Sequence[Claim], reference: Reference | None, venue: Venue, policy: Policy, slot: int
) -> list[Payment]:
    """The payments of all escrow accounts in a slot, oldest first; `reference` is the newest block of ours
    before it.

    Coins go one to a transaction. Tokens go in batches where nothing can hold one back: each to the account
    that asked for it, and within the limits. Anything else is alone, so that to hold it back holds nothing
    else, and never changes another transaction's bytes.
    """
    over = over_limits(claims, policy, slot_time(slot))
    payments: list[Payment] = []
    batches: dict[tuple[str, str], list[Claim]] = {}

    def pay(*members: Claim) -> None:
        assert reference is not None  # a claim was opened in a block of ours
        operation = _operation(members, venue)
        transaction = Transaction.after(reference.block_id, expires(slot, policy), operation)
        limit = over.get(members[0].ref)
        payments.append(Payment(members[0].escrow, slot, members, transaction, reference.number, limit))

    for claim in due(claims, policy, slot):
        if claim.chain == HIVE or _is_alone(claim, over):
            pay(claim)
        else:
            batches.setdefault((claim.escrow, claim.symbol), []).append(claim)
    for batch in batches.values():
        for members in _cut(batch):
            pay(*members)
    return sorted(payments, key=age)


def age(payment: Payment) -> tuple[int, int, int]:
    """Rises from the oldest payment to the newest."""
    claim = payment.members[0]
    return (claim.opened, claim.kind, claim.n)


def _is_alone(claim: Claim, over: dict[Ref, str]) -> bool:
    return claim.kind != WITHDRAWAL or claim.to != claim.account or claim.ref in over


def _cut(claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    """In pieces that fit into a custom_json, and into what the sidechain runs in a block."""
    batch: list[Claim] = []
    for claim in claims:
        if batch and (len(batch) == MOST_ACTIONS or len(_json([*batch, claim])) > MOST_JSON_BYTES):
            yield batch
            batch = []
        batch.append(claim)
    if batch:
        yield batch


def _operation(members: Sequence[Claim], venue: Venue) -> Operation:
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


def _json(members: Sequence[Claim]) -> str:
    """Each with its own memo. ASCII alone: as many bytes as characters."""
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
    """Thousandths; 0 for what has more decimals."""
    mils = Fraction(quantity) * 10**NATIVE_PRECISION
    return mils.numerator if mils.denominator == 1 else 0


def _coin_text(claim: Claim) -> str:
    assert claim.quantity is not None
    whole, thousandths = divmod(_mils(claim.quantity), 10**NATIVE_PRECISION)
    return f"{whole}.{thousandths:03d}"
