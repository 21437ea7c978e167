"""The plan: what may be signed in a slot is a pure function of the rows before it (protocol, section 10)."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.payouts.holds.refusals import MAX_REFUSALS, Refusals, is_tried, stride_of
from settlement.payouts.plan import (
    MAX_ACTIONS,
    MAX_JSON_BYTES,
    Payment,
    compose,
    due,
    expires,
    in_rotation,
    is_pending,
    is_returning,
    latest_attempt,
    over_limits,
    slot_after,
    slot_time,
    unpayable_reason,
)
from settlement.payouts.policy import (
    HISTORY_SECONDS,
    MAX_LIFETIME_SECONDS,
    SLOT_SECONDS,
    Policy,
    PolicyError,
    read_limits,
)
from settlement.payouts.signing.transactions import Key, signer
from settlement.store.read.payouts import REFUND, WITHDRAWAL, PayoutClaim, Reference
from tests.support.examples import examples
from tests.system.payouts.world import VENUE

REFERENCE = Reference(77, "0000004d" + "ab" * 16)
START = 1_760_000_000
POLICIES = (Policy(expires_in=60), Policy(expires_in=61), Policy(), Policy(expires_in=3000))
RETURN_SECONDS = 3600  # protocol, section 8


def claim(n: int = 1, **changes: Any) -> PayoutClaim:
    """A withdrawal of 1 PEK by alice, as tests change it."""
    base = PayoutClaim(
        kind=WITHDRAWAL,
        n=n,
        id=f"{n:040d}",
        account="alice",
        to="alice",
        memo=f"peakedex:{n:040d}",
        has_own_memo=False,
        symbol="PEK",
        chain="hive-engine",
        escrow="peakedex.pek",
        quantity="1.00000000",
        value="1e0",
        opened=START,
        closed=None,
        is_paid=False,
    )
    return base._replace(**changes)


def coin(n: int = 1, **changes: object) -> PayoutClaim:
    own = {"symbol": "HBD", "chain": "hive", "escrow": "peakedex.hbd", "quantity": "1.500", "value": "15e-1"}
    return claim(n, **{**own, **changes})


@st.composite
def histories(draw: st.DrawFn) -> list[PayoutClaim]:
    """Claims with few different payment keys, opened, returning and closed over some hours, oldest first."""
    claims: list[PayoutClaim] = []
    for n in range(1, draw(st.integers(1, 12)) + 1):
        kind = draw(st.sampled_from((WITHDRAWAL, WITHDRAWAL, REFUND)))
        opened = START + draw(st.integers(0, 4000))
        closed = draw(st.none() | st.integers(opened + 1, opened + 8000))
        returning = draw(st.none() | st.integers(opened + 1, opened + 5000)) if kind == WITHDRAWAL else None
        if closed is not None and returning is not None and (returning >= closed or draw(st.booleans())):
            closed = returning + RETURN_SECONDS + draw(st.integers(0, 9))  # nothing paid it in time
        memo = draw(st.sampled_from(("rent", "rent", f"peakedex:{n:040d}")))
        make = draw(st.sampled_from((claim, coin)))
        to = draw(st.sampled_from(("alice", "alice", "bob")))
        claims.append(
            make(
                n,
                kind=kind,
                to=to,
                memo=memo,
                has_own_memo=memo == "rent",
                opened=opened,
                closed=closed,
                returning=returning,
                return_due=None if returning is None else returning + RETURN_SECONDS,
                is_paid=closed is not None and (returning is None or closed < returning + RETURN_SECONDS),
            )
        )
    return sorted(claims, key=lambda one: (one.opened, one.kind, one.n))


def slots(claims: Sequence[PayoutClaim], policy: Policy) -> range:
    first, last = min(one.opened for one in claims), max(one.closed or one.opened for one in claims)
    return range(slot_after(first) - 1, slot_after(last) + 3 * policy.period)


def known_at(claims: Sequence[PayoutClaim], time: int) -> list[PayoutClaim]:
    """What a ledger shows that has read all blocks before that time, and none since."""
    known = []
    for one in claims:
        if one.opened >= time:
            continue
        if one.closed is not None and one.closed >= time:
            one = one._replace(closed=None, is_paid=False)
        if one.returning is not None and one.returning >= time:
            one = one._replace(returning=None, return_due=None)
        known.append(one)
    return known


def bytes_of(payments: Sequence[Payment]) -> list[tuple[bytes, str | None]]:
    return [(payment.transaction.packed, payment.limit_exceeded) for payment in payments]


# ---------------------------------------------------------------- at most once


@given(histories(), st.sampled_from(POLICIES[:3]))
@examples(60)
def test_payments_with_the_same_key_never_overlap_in_time(claims: list[PayoutClaim], policy: Policy) -> None:
    """One transaction at a time for each payment key, and time between them; also from one claim to the next."""
    windows: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for slot in slots(claims, policy):
        for one in due(claims, policy, slot):
            windows[one.payment_key].append((slot_time(slot), expires(slot, policy)))
    for key, of_key in windows.items():
        for (_, end), (begin, _) in itertools.pairwise(of_key):
            assert begin > end, key


@given(histories(), st.sampled_from(POLICIES[:3]), st.data())
@examples(60)
def test_every_process_plans_the_same_bytes_for_a_slot(
    claims: list[PayoutClaim], policy: Policy, data: st.DataObject
) -> None:
    slot = data.draw(st.sampled_from(slots(claims, policy)))
    time = slot_time(slot)
    early = compose(known_at(claims, time), REFERENCE, VENUE, policy, slot)
    late = compose(claims, REFERENCE, VENUE, policy, slot)
    assert bytes_of(early) == bytes_of(late)
    recent = [one for one in claims if one.closed is None or one.closed >= time - 2 * MAX_LIFETIME_SECONDS]
    assert bytes_of(compose(recent, REFERENCE, VENUE, policy, slot)) == bytes_of(late), "rows that are read"
    assert HISTORY_SECONDS >= 3 * MAX_LIFETIME_SECONDS


@given(histories(), st.sampled_from(POLICIES[:3]))
@examples(40)
def test_each_claim_gets_its_turn(claims: list[PayoutClaim], policy: Policy) -> None:
    """The oldest of a payment key has its turn within two periods of becoming the oldest."""
    for one in claims:
        if one.closed is not None or one.returning is not None:
            continue
        alike = [other for other in claims if other.payment_key == one.payment_key]
        others = [other for other in alike if other.ref != one.ref]
        if any(other.closed is None for other in others):
            continue
        free = max([one.opened, *(other.closed or 0 for other in others)])
        begin = slot_after(free)
        turns = [
            slot
            for slot in range(begin, begin + 2 * policy.period + 1)
            if one.ref in [due_one.ref for due_one in due(claims, policy, slot)]
        ]
        assert turns


@given(histories(), st.sampled_from(POLICIES[:2]))
@examples(40)
def test_each_claim_that_is_due_is_in_one_payment(claims: list[PayoutClaim], policy: Policy) -> None:
    for slot in slots(claims, policy):
        payments = compose(claims, REFERENCE, VENUE, policy, slot)
        members = [one for payment in payments for one in payment.members]
        assert sorted(one.ref for one in members) == sorted(one.ref for one in due(claims, policy, slot))
        assert all(is_pending(one, slot_time(slot)) for one in members)
        assert not any(is_returning(one, slot_time(slot)) for one in members)
        assert len({payment.id for payment in payments}) == len(payments)
        for payment in payments:
            assert {(one.escrow, one.symbol) for one in payment.members} == {
                (payment.escrow, payment.members[0].symbol)
            }


@pytest.mark.parametrize("policy", POLICIES)
def test_a_claim_has_its_turn_at_once_and_then_once_a_period(policy: Policy) -> None:
    one = claim(opened=START + 7)
    turns = [slot for slot in range(slot_after(START), slot_after(START) + 900) if due([one], policy, slot)]
    assert turns[0] == slot_after(START + 7)
    assert slot_time(turns[0]) - (START + 7) <= 15
    assert {later - slot for slot, later in itertools.pairwise(turns)} <= {policy.period}
    for slot in turns:
        for now in (slot_time(slot), slot_time(slot + policy.period) - 1):
            assert latest_attempt(one, policy, now) == slot
    assert latest_attempt(one, policy, slot_time(turns[0]) - 1) is None


# ---------------------------------------------------------------- returns (protocol, sections 8 and 10)


@given(histories(), st.sampled_from(POLICIES))
@examples(60)
def test_no_payment_of_a_returned_withdrawal_can_be_executed_after_its_return(
    claims: list[PayoutClaim], policy: Policy
) -> None:
    """A ledger signs it that has read to the slot's start, or further, and in which no return was asked for."""
    for slot in slots(claims, policy):
        for payment in compose(claims, REFERENCE, VENUE, policy, slot):
            for one in payment.members:
                signed_until = one.returning or slot_time(slot)
                assert payment.transaction.expires <= slot_time(slot) + 3000
                assert slot_time(slot) <= signed_until
                assert one.return_due is None or payment.transaction.expires <= one.return_due - 600


def test_a_claim_is_due_again_never_once_its_return_was_asked_for() -> None:
    one, policy = claim(returning=START + 100, return_due=START + 3700), Policy(expires_in=60)
    turns = [slot for slot in range(slot_after(START), slot_after(START) + 400) if due([one], policy, slot)]
    assert turns
    assert max(map(slot_time, turns)) <= START + 100


def test_a_withdrawal_waits_while_an_identical_older_one_is_returning() -> None:
    """The ledger settles the oldest with whatever payment arrives: the older one's return would be undone."""
    older = claim(1, memo="rent", has_own_memo=True, returning=START + 1, return_due=START + 3601)
    newer = claim(2, memo="rent", has_own_memo=True, opened=START + 2)
    policy = Policy(expires_in=60)
    slots = range(slot_after(START), slot_after(START) + 500)
    assert not [slot for slot in slots if due([older, newer], policy, slot)]
    returned = older._replace(closed=START + 3601)
    first = next(slot for slot in slots if due([returned, newer], policy, slot))
    assert START + 3601 + policy.expires_in < slot_time(first) <= START + 3601 + 3 * policy.expires_in
    assert due([returned, newer], policy, first) == [newer]


def test_a_returning_withdrawal_leaves_a_batch_of_others_as_it_is() -> None:
    returning = claim(2, returning=START + 5, return_due=START + 3605)
    late = claim(3, returning=slot_time(slot_after(START)), return_due=START + 5000)
    [payment] = compose([claim(1), returning, late], REFERENCE, VENUE, Policy(), slot_after(START))
    assert [one.n for one in payment.members] == [1, 3], "the third's return is not known in this slot"


# ---------------------------------------------------------------- composition


def test_tokens_go_in_batches_that_the_sidechain_runs() -> None:
    claims = [claim(n) for n in range(1, 41)]
    payments = compose(claims, REFERENCE, VENUE, Policy(), slot_after(START))
    assert [len(payment.members) for payment in payments] == [MAX_ACTIONS, MAX_ACTIONS, 10]
    assert [one.n for payment in payments for one in payment.members] == list(range(1, 41))


def test_a_batch_stays_below_the_longest_json() -> None:
    claims = [claim(n, memo="東" * 256, has_own_memo=True, value=f"{n}e0") for n in range(1, 20)]
    payments = compose(claims, REFERENCE, VENUE, Policy(), slot_after(START))
    texts = [str(payment.transaction.operations[0][1]["json"]) for payment in payments]
    assert len(texts) > 2
    assert max(len(text.encode()) for text in texts) <= MAX_JSON_BYTES
    assert [len(json.loads(text)) for text in texts] == [len(payment.members) for payment in payments]


def test_from_the_second_turn_on_each_claim_is_paid_alone() -> None:
    claims = [claim(n) for n in range(1, 6)]
    slot = slot_after(START) + Policy().period
    payments = compose(claims, REFERENCE, VENUE, Policy(), slot)
    assert [tuple(one.n for one in payment.members) for payment in payments] == [(1,), (2,), (3,), (4,), (5,)]


def test_accounts_take_turns_and_refunds_come_last() -> None:
    """200 claims of one account delay another's by one."""
    many = [claim(n, opened=START + n) for n in range(1, 200)]
    others = [
        claim(1, kind=REFUND, account="carol", to="carol", opened=START),
        claim(301, account="bob", to="bob", opened=START + 300),
        claim(302, account="carol", to="carol", opened=START + 301),
        claim(303, account="bob", to="bob", opened=START + 302),
    ]
    order = [(one.kind, one.account, one.n) for one in in_rotation([*reversed(many), *others])]
    assert order[:5] == [
        *((WITHDRAWAL, "alice", 1), (WITHDRAWAL, "bob", 301), (WITHDRAWAL, "carol", 302)),
        *((WITHDRAWAL, "alice", 2), (WITHDRAWAL, "bob", 303)),
    ]
    assert order[-1] == (REFUND, "carol", 1)
    assert len(order) == len(many) + len(others)


def test_a_batch_takes_accounts_in_turn() -> None:
    claims = [claim(n) for n in range(1, 21)] + [claim(21, account="bob", to="bob")]
    first, _ = compose(claims, REFERENCE, VENUE, Policy(), slot_after(START))
    assert [one.n for one in first.members[:3]] == [1, 21, 2]


@pytest.mark.parametrize("policy", POLICIES)
def test_turns_of_a_refused_claim_are_among_those_of_one_refused_less(policy: Policy) -> None:
    """So operators who have counted differently meet; the last ones are a day apart, or almost."""
    one, first = claim(), slot_after(START)
    slots = range(first, first + 300 * policy.period, policy.period)
    tried = [
        {slot for slot in slots if is_tried(one, slot, Refusals(times, "") if times else None, policy)}
        for times in range(MAX_REFUSALS)
    ]
    assert all(later <= earlier for earlier, later in itertools.pairwise(tried))
    assert all(first in some for some in tried)
    assert not is_tried(one, first, Refusals(MAX_REFUSALS, ""), policy)
    assert 43_200 < stride_of(99, policy) * policy.period * SLOT_SECONDS <= 86_400


def test_a_claim_that_may_be_held_back_is_paid_alone() -> None:
    """To another account, a refund, above a limit: in a batch it could hold the others back."""
    plain = [claim(1), claim(2)]
    alone = [claim(3, to="bob"), claim(4, kind=REFUND), claim(5, quantity="2000", value="2e3")]
    policy = Policy(limits=read_limits(["PEK=1000"]))
    payments = compose([*plain, *alone], REFERENCE, VENUE, policy, slot_after(START))
    assert sorted(tuple(one.n for one in payment.members) for payment in payments) == [
        (1, 2),
        (3,),
        (4,),
        (5,),
    ]
    assert [payment.limit_exceeded for payment in payments if payment.limit_exceeded] == [
        "above the limit for one payout"
    ]


def test_tokens_of_one_account_do_not_wait_for_each_other() -> None:
    """If one of them is missing, the other's batch is paid all the same."""
    claims = [claim(1), claim(2, symbol="PIMP"), claim(3)]
    payments = compose(claims, REFERENCE, VENUE, Policy(), slot_after(START))
    assert [tuple(one.n for one in payment.members) for payment in payments] == [(1, 3), (2,)]


def test_a_transaction_makes_the_ledgers_payments() -> None:
    claims = [
        coin(1, memo="Grüße, 東京 🙂"),
        claim(2, memo='she said "PEK"\\'),
        claim(3, kind=REFUND, quantity="2.5", value="25e-1", symbol="SWAP.BTC"),
    ]
    slot = slot_after(START)
    transactions = [payment.transaction for payment in compose(claims, REFERENCE, VENUE, Policy(), slot)]
    operations = [transaction.operations[0] for transaction in transactions]
    assert operations[0] == (
        "transfer",
        {"from": "peakedex.hbd", "to": "alice", "amount": "1.500 HBD", "memo": "Grüße, 東京 🙂"},
    )
    for (name, value), one in zip(operations[1:], claims[1:], strict=True):
        assert name == "custom_json"
        assert value["required_auths"] == ["peakedex.pek"]
        assert value["id"] == VENUE.custom_json_id
        [element] = json.loads(str(value["json"]))
        assert (element["contractName"], element["contractAction"]) == ("tokens", "transfer")
        assert element["contractPayload"] == {
            "symbol": one.symbol,
            "to": "alice",
            "quantity": one.quantity,
            "memo": one.memo,
        }
    assert {transaction.expires for transaction in transactions} == {slot_time(slot) + 600}
    assert {transaction.ref_block_num for transaction in transactions} == {77}


def test_beem_signs_whatever_memo_a_trader_writes() -> None:
    """It would refuse, or sign other bytes, if it serialized text in another way than we do."""
    memos = ["Grüße", "東" * 256, "🙂" * 256, "\u2028\ufeff'\"\\", "a" * 256, "\x80\x9f\xa0"]
    key = Key("5JdeC9P7Pbd1uGdFVEsJ41EkEnADbbHGq6p1BwFxm6txNBsQnsw")
    chain_id = "18dcf0a285365fc58b71f18b3d3fec954aa0c141c44e4e5cb4cf777b9eab274e"
    claims = [
        make(2 * at + which, memo=memo, has_own_memo=True)
        for at, memo in enumerate(memos)
        for which, make in enumerate((coin, claim))
    ]
    payments = compose(claims, REFERENCE, VENUE, Policy(), slot_after(START))
    assert len(payments) > len(memos)
    for payment in payments:
        assert unpayable_reason(payment.members[0]) is None
        signature = key.sign(payment.transaction, chain_id)
        assert signer(payment.transaction, signature, chain_id) == key.public


# ---------------------------------------------------------------- unpayable claims


@pytest.mark.parametrize(
    "memo",
    [
        '{"id":"ssc-mainnet-hive","json":{"contractName":"tokens","contractAction":"transfer",'
        '"contractPayload":{"symbol":"PEK","to":"mallory","quantity":"1000000"}}}',
        '  {"id":"ssc-mainnet-hive"}',
        "\u00a0[1]",
        "\ufeff{}",
    ],
)
def test_a_coin_s_memo_that_a_sidechain_could_run_is_never_signed(memo: str) -> None:
    """Hive-Engine runs it with the authority of the escrow account: all of its tokens could be taken."""
    bad = coin(memo=memo, has_own_memo=True)
    assert "sidechain" in (unpayable_reason(bad) or "")
    assert compose([bad], REFERENCE, VENUE, Policy(), slot_after(START)) == []
    assert unpayable_reason(claim(memo=memo, has_own_memo=True)) is None, (
        "in a token's element it is only text"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": None},
        {"to": "Not.An.Account"},
        {"to": "peakedex.pek"},
        {"chain": "hive", "symbol": "HIVE", "quantity": "0.0001"},
        {"chain": "hive", "symbol": "HIVE", "quantity": str(2**63)},
        {"chain": "hive", "symbol": "HIVE", "memo": "x" * 2048},
    ],
)
def test_an_unpayable_claim_has_a_reason_and_is_not_planned(changes: dict[str, Any]) -> None:
    bad = claim(kind=REFUND, **changes)
    assert unpayable_reason(bad)
    assert compose([bad, claim(2)], REFERENCE, VENUE, Policy(), slot_after(START))[0].members == (claim(2),)


# ---------------------------------------------------------------- limits


def limited(*claims: PayoutClaim, time: int = START + 100) -> dict[int, str]:
    policy = Policy(limits=read_limits(["PEK=5"]), hour_limits=read_limits(["PEK=10"]))
    return {n: text.rsplit(" ", 1)[1] for (_, n), text in over_limits(claims, policy, time).items()}


def test_a_payout_above_its_limit_waits() -> None:
    assert limited(claim(1, quantity="5"), claim(2, quantity="5.00000001")) == {2: "payout"}


def test_what_goes_beyond_the_limit_of_an_hour_waits() -> None:
    """Oldest first; a claim that waits does not count, nor do other tokens."""
    claims = [claim(1, quantity="5"), claim(2, quantity="4"), claim(3, quantity="2"), claim(4, quantity="1")]
    assert limited(*claims, claim(5, symbol="PIMP", quantity="999")) == {3: "hour"}
    assert limited(claim(1, quantity="99"), claim(2, quantity="5"), claim(3, quantity="5")) == {1: "payout"}


def test_what_was_paid_within_the_hour_counts() -> None:
    paid = claim(1, quantity="5", closed=START + 50, is_paid=True)
    returned = claim(2, quantity="5", closed=START + 50)
    others = [claim(3, quantity="5"), claim(4, quantity="1")]
    assert limited(paid, returned, *others) == {4: "hour"}
    assert limited(paid, returned, *others, time=START + 50 + 3600) == {4: "hour"}
    assert limited(paid, returned, *others, time=START + 51 + 3600) == {}
    assert limited(paid, *others, time=START + 50) == {4: "hour"}, "still pending then"


def test_a_claim_of_a_day_uses_up_no_limit_of_an_hour() -> None:
    """The chain may refuse it for ever; it needs an approval itself."""
    day = 86_400
    refused, other = claim(1, quantity="5"), claim(2, quantity="4", opened=START + day - 9)
    large = claim(3, quantity="2", opened=START + day - 9)
    assert limited(refused, other, large, time=START + day) == {3: "hour"}
    assert limited(refused, other, large, time=START + day + 1) == {1: "hour"}


def test_limits_are_read_exactly() -> None:
    assert read_limits(["PEK=1000", "HBD=0.001"]) == {"PEK": 1000, "HBD": Fraction(1, 1000)}
    for bad in ("PEK", "PEK=", "pek=1", "PEK=-1", "PEK=1e3", "=1"):
        with pytest.raises(PolicyError, match="SYMBOL=AMOUNT"):
            read_limits([bad])
    with pytest.raises(PolicyError, match="two limits"):
        read_limits(["PEK=1", "PEK=2"])


@pytest.mark.parametrize("seconds", [59, 3001])
def test_a_payment_lives_for_a_minute_to_fifty_minutes(seconds: int) -> None:
    with pytest.raises(PolicyError, match="60 to 3000"):
        Policy(expires_in=seconds)


def test_all_that_shapes_payments_is_in_the_policys_hash() -> None:
    policies = [
        Policy(),
        Policy(expires_in=601),
        Policy(limits=read_limits(["PEK=1"])),
        Policy(hour_limits=read_limits(["PEK=1"])),
        Policy(limits=read_limits(["PEK=0.1"])),
        Policy(limits=read_limits(["HBD=1"])),
    ]
    assert len({policy.hash(VENUE) for policy in policies}) == len(policies)
    one, other = (Policy(limits=read_limits(texts)) for texts in (["A=1", "B=2"], ["B=2.0", "A=1"]))
    assert one.hash(VENUE) == other.hash(VENUE)
