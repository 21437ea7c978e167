"""Signatures of other operators: accepted for our own payments, else refused with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.core.journal.lines import iso_time
from settlement.payouts.cosign.message import Proposal, ProposalError
from settlement.payouts.policy import Policy
from settlement.payouts.signing.authority import Authorities
from settlement.payouts.signing.transactions import (
    Key,
    Operation,
    SignedTransaction,
    SigningError,
    Transaction,
)
from tests.support.examples import examples
from tests.system.payouts.operators import CHAIN_ID, KEYS, PUBLICS, Group


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    group = Group(tmp_path)
    group.rich()
    yield group
    group.close()


def sign(transaction: Transaction, *numbers: int) -> tuple[str, ...]:
    return tuple(Key(KEYS[number].wif).sign(transaction, CHAIN_ID) for number in numbers)


def forged(proposal: Proposal, transaction: Transaction, *numbers: int) -> Proposal:
    """A proposal that a thief with these keys makes of an honest one."""
    return replace(proposal, transaction=transaction, signatures=sign(transaction, *numbers))


def with_value(transaction: Transaction, **changes: object) -> Transaction:
    [(name, value)] = transaction.operations
    return replace(transaction, operations=((name, {**value, **changes}),))


# -- honest operators -------------------------------------------------------------------------------


def test_all_plan_the_same_and_two_of_three_suffice(group: Group) -> None:
    withdrawal = group.withdraw("bob", "HBD", "5.000", to="carol")
    group.round()
    assert group.chain.sent == []  # one signature each: nothing is sent
    ids = {record.id for operator in group.operators for record in operator.records()}
    assert len(ids) == 1
    first, second, third = group.operators
    assert [record.weight for record in first.records()] == [1]
    [proposal] = second.proposals()
    verdict = first.collector.receive(proposal)
    assert (verdict.status, verdict.code, verdict.reason) == ("accepted", "added", "weight 2 of 2")
    assert first.collector.receive(proposal) == replace(verdict, code="known")  # repeated, it changes nothing
    group.round()
    [signed] = group.chain.sent
    assert signed.id in ids
    assert [record.weight for record in third.records()] == [1]
    # The third adds its own, and sends only as many as suffice.
    assert third.collector.receive(first.proposals()[0]).reason == "weight 3 of 2"
    group.round()
    assert [len(sent.signatures) for sent in group.chain.sent] == [2, 2]
    assert {sent.id for sent in group.chain.sent} == {signed.id}
    group.settle(signed, memo=f"peakedex:{withdrawal}", quantity="5.000", to="carol")
    group.round()
    assert all(operator.records() == [] for operator in group.operators)


def test_a_batch_of_tokens(group: Group) -> None:
    for quantity in ("1", "2.5"):
        group.block(group.world.action("alice", "withdraw", symbol="PEK", quantity=quantity))
    group.block(seconds=15)
    group.round()
    first, second, _ = group.operators
    assert [first.collector.receive(proposal).code for proposal in second.proposals()] == ["added"]
    assert len(first.records()[0].members) == 2
    group.round()
    assert len(group.chain.sent) == 1


def test_a_ledger_that_is_behind_answers_later(group: Group) -> None:
    action = group.world.action("bob", "withdraw", symbol="HBD", quantity="5.000")
    group.block(action, only=[0, 1])
    group.block(seconds=15, only=[0, 1])
    group.round()
    first, _, third = group.operators
    [proposal] = first.proposals()
    verdict = third.collector.receive(proposal)
    assert (verdict.status, verdict.code) == ("later", "behind")
    group.block(action, only=[2])
    group.block(seconds=15, only=[2])
    assert (third.collector.receive(proposal).status, third.collector.receive(proposal).code) == (
        "later",
        "held",
    )
    group.round()
    assert third.collector.receive(proposal).status == "accepted"


def test_limits_apply_to_each_operator(tmp_path: Path) -> None:
    from fractions import Fraction

    policy = Policy(limits={"HBD": Fraction(1)})
    group = Group(tmp_path, dict.fromkeys(range(3), policy))
    group.rich()
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    assert all(operator.proposals() == [] for operator in group.operators)
    from settlement.payouts.payout_log import approve_claim

    for number in (0, 1):
        with group.operators[number].writer.begin() as connection:
            approve_claim(connection, (0, 1), 0)
    group.round()
    first, second, third = group.operators
    [proposal] = first.proposals()
    assert third.collector.receive(proposal).code == "held"  # it waits for an approval there
    assert second.collector.receive(proposal).code == "added"
    group.round()
    assert len(group.chain.sent) == 1
    group.close()


def test_another_policy_is_named(tmp_path: Path) -> None:
    from fractions import Fraction

    group = Group(tmp_path, {1: Policy(expires_in=900), 2: Policy(limits={"PEK": Fraction(1)})})
    group.rich()
    group.block(
        *(group.world.action("alice", "withdraw", symbol="PEK", quantity=number) for number in ("5", "1"))
    )
    group.block(seconds=15)
    group.round()
    first, second, third = group.operators
    verdict = first.collector.receive(second.proposals()[0])
    assert (verdict.code, verdict.reason) == (
        "other_policy",
        "its lifetime is 900 seconds, here it is 600 seconds",
    )
    verdict = first.collector.receive(third.proposals()[0])
    assert (verdict.status, verdict.code) == ("refused", "other_composition")
    group.close()


# -- a thief with one key of two ----------------------------------------------------------------------


def refusals(group: Group, proposal: Proposal) -> list[tuple[str, str]]:
    """Each operator's refusal of a forgery; none of them signs it."""
    before = [operator.records() for operator in group.operators]
    verdicts = [operator.collector.receive(proposal) for operator in group.operators]
    group.round()
    assert [operator.records() for operator in group.operators] == before
    assert not any(sent.id == proposal.transaction.id for sent in group.chain.sent)
    assert not group.chain.accepts(SignedTransaction(proposal.transaction, proposal.signatures))
    assert len({(verdict.status, verdict.code) for verdict in verdicts}) == 1
    assert verdicts[0].status == "refused"
    return [(verdict.code, verdict.reason) for verdict in verdicts]


def test_wrong_recipient(group: Group) -> None:
    withdrawal = group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    made = with_value(honest.transaction, to="thief")
    [(code, text), *_] = refusals(group, forged(honest, made, 2))
    assert (code, text) == ("other_recipient", f"{withdrawal} is for bob, not for 'thief'")


def test_other_amount(group: Group) -> None:
    withdrawal = group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    for amount in ("50.000", "4.999"):
        made = with_value(honest.transaction, amount=f"{amount} HBD")
        [(code, text), *_] = refusals(group, forged(honest, made, 2))
        assert code == "other_amount"
        assert text.startswith(f"{withdrawal} is for 5.000, not for '{amount}'")


def test_an_unknown_claim(group: Group) -> None:
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    for memo in ("peakedex:" + "0" * 40, "", "hello"):
        made = with_value(honest.transaction, to="thief", memo=memo)
        assert refusals(group, forged(honest, made, 2))[0][0] == "unknown_claim"


THEFT: Operation = ("transfer", {"from": "peakedex.hbd", "to": "thief", "amount": "1.000 HBD", "memo": ""})


def test_an_extra_operation(group: Group) -> None:
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    made = replace(honest.transaction, operations=(*honest.transaction.operations, THEFT))
    assert refusals(group, forged(honest, made, 2))[0] == (
        "other_operation",
        "it has 2 operations, not one",
    )


def test_an_extra_element_of_a_batch_and_another_contract(group: Group) -> None:
    group.withdraw("alice", "PEK", "5")
    group.round()
    [honest] = group.operators[0].proposals()
    elements = json.loads(str(honest.transaction.operations[0][1]["json"]))
    payload = {**elements[0]["contractPayload"], "to": "thief"}
    more = [*elements, {**elements[0], "contractPayload": payload}]
    made = with_value(honest.transaction, json=json.dumps(more))
    assert refusals(group, forged(honest, made, 2))[0][0] == "other_recipient"
    for other in ({"contractName": "nft"}, {"contractAction": "stake"}):
        made = with_value(honest.transaction, json=json.dumps([elements[0] | other]))
        assert refusals(group, forged(honest, made, 2))[0][0] == "other_operation"
    changes: list[dict[str, object]]
    changes = [{"id": "ssc-testnet"}, {"required_posting_auths": ["peakedex.pek"]}, {"json": "[]"}]
    for change in changes:
        made = with_value(honest.transaction, **change)
        assert refusals(group, forged(honest, made, 2))[0][0] == "other_operation"


def test_from_another_escrow_account(group: Group) -> None:
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    made = with_value(honest.transaction, **{"from": "peakedex.hive"})
    assert refusals(group, forged(honest, made, 2))[0][0] == "other_operation"
    assert refusals(group, forged(replace(honest, escrow="peakedex.hive"), made, 2))[0][0] == "unknown_claim"
    assert refusals(group, forged(replace(honest, escrow="thief"), made, 2))[0][0] == "unknown_escrow"


def test_the_same_bytes_later_or_earlier(group: Group) -> None:
    """Another slot, lifetime or reference: each would be a second payment."""
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    slot, expires = honest.slot, honest.transaction.expires
    longer = replace(honest.transaction, expires=expires + 1)
    assert refusals(group, forged(honest, longer, 2))[0][0] == "other_policy"
    other = replace(honest.transaction, ref_block_prefix=1)
    assert refusals(group, forged(honest, other, 2))[0][0] == "other_reference"
    for moved in (slot - 1, slot - 3):
        earlier = replace(honest.transaction, expires=expires + 15 * (moved - slot))
        verdict = refusals(group, forged(replace(honest, slot=moved), earlier, 2))[0]
        assert verdict[0] == "other_turn"
    # The honest transaction under the number of another slot.
    assert refusals(group, replace(honest, slot=slot - 1, signatures=sign(honest.transaction, 2)))[0][0] == (
        "other_turn"
    )
    far = forged(replace(honest, slot=slot + 1000), replace(honest.transaction, expires=expires + 15_000), 2)
    assert refusals(group, far)[0][0] == "future"


def test_an_expired_attempt(group: Group) -> None:
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    [old] = group.operators[0].proposals()
    group.block(seconds=700)
    verdicts = [
        operator.collector.receive(forged(old, with_value(old.transaction, to="thief"), 2))
        for operator in group.operators
    ]
    assert {verdict.code for verdict in verdicts} == {"expired"}
    assert all(operator.records() == [] for operator in group.operators)


def test_a_payment_repeated_after_it_was_made(group: Group) -> None:
    withdrawal = group.withdraw("bob", "HBD", "5.000")
    group.round()
    first, second, _ = group.operators
    [proposal] = second.proposals()
    first.collector.receive(proposal)
    group.round()
    [signed] = group.chain.sent
    group.settle(signed, memo=f"peakedex:{withdrawal}", quantity="5.000", to="bob")
    group.round()
    # The same bytes are executed once; other bytes are refused, because the claim is settled.
    again = replace(proposal.transaction, expires=proposal.transaction.expires + 1)
    assert refusals(group, forged(proposal, again, 2))[0] == (
        "not_pending",
        f"{withdrawal} is settled already",
    )
    assert len(group.chain.sent) == 1


def test_a_withdrawal_that_is_returning_here_is_not_signed(group: Group) -> None:
    """The third operator's ledger has not read the return: it signs alone, and the others refuse."""
    first, second, third = group.operators
    action = group.world.action("bob", "withdraw", symbol="HBD", quantity="5.000")
    group.block(action)
    cancel = group.world.action("bob", "cancelWithdrawal", id=action.id)
    group.block(cancel, only=(0, 1))
    group.block(only=(2,))
    group.block(seconds=15)
    group.round()
    assert (first.records(), second.records()) == ([], [])
    [proposal] = third.proposals()
    asked = iso_time(first.world.time - 15)
    for operator in (first, second):
        verdict = operator.collector.receive(proposal)
        assert (verdict.status, verdict.code) == ("refused", "returning")
        assert verdict.reason == f"{action.id} is being returned: that was asked for at {asked}Z"
    group.round()
    assert group.chain.sent == []


def test_a_payment_that_would_outlive_a_return(group: Group) -> None:
    """A thief's transaction that could be executed after its withdrawal has gone back."""
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    [honest] = group.operators[0].proposals()
    longest = honest.slot * 15 + 3000
    for expires, code in ((longest, "other_policy"), (longest + 1, "long_lived")):
        made = replace(honest.transaction, expires=expires)
        assert refusals(group, forged(honest, made, 2))[0][0] == code


def test_two_identical_claims_are_not_paid_at_once(group: Group) -> None:
    """A thief cannot have the newer one signed while a payment of the older one may be executed."""
    for _ in range(2):
        group.block(group.world.action("bob", "withdraw", symbol="HBD", quantity="5.000", memo="rent"))
    group.block(seconds=15)
    group.round()
    assert all(len(operator.records()) == 1 for operator in group.operators)
    [honest] = group.operators[0].proposals()
    other = replace(honest.transaction, ref_block_num=honest.transaction.ref_block_num ^ 1)
    assert refusals(group, forged(honest, other, 2))[0][0] == "other_reference"


# -- signatures that are none -------------------------------------------------------------------------


def test_bad_signatures_and_unknown_keys(group: Group) -> None:
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    first, second, _ = group.operators
    [honest] = second.proposals()
    cases = [
        ("bad_signature", ("00" * 65,)),
        ("bad_signature", ("1f" + "11" * 64, *honest.signatures)),
        ("bad_signature", (*honest.signatures, *honest.signatures)),
        ("unknown_key", sign(honest.transaction, 3)),
        ("unknown_key", (*honest.signatures, *sign(honest.transaction, 3))),
        ("unknown_key", (Key(KEYS[2].wif).sign(honest.transaction, "00" * 32),)),  # for another chain
        ("unknown_key", sign(replace(honest.transaction, expires=1), 2)),  # of another transaction
    ]
    for code, signatures in cases:
        verdict = first.collector.receive(replace(honest, signatures=signatures))
        assert (verdict.status, verdict.code) in (("refused", code), ("refused", "bad_signature"))
    assert [record.weight for record in first.records()] == [1]
    assert first.collector.receive(replace(honest, chain_id="00" * 32)).code == "other_chain"
    assert (
        PUBLICS[3] in first.collector.receive(replace(honest, signatures=sign(honest.transaction, 3))).reason
    )


def test_without_the_authority_the_answer_is_later(group: Group) -> None:
    group.withdraw("bob", "HBD", "5.000")
    group.round()
    first, second, _ = group.operators
    unread = replace(first.collector, authorities=Authorities(first.signers.authorities.accounts))
    assert unread.receive(second.proposals()[0]).code == "no_authority"


# -- anything else ------------------------------------------------------------------------------------


def valid() -> dict[str, object]:
    operation: Operation = ("transfer", {**THEFT[1]})
    made = Transaction((operation,), 1, 2, 1_790_000_600)
    return Proposal(CHAIN_ID, "peakedex.hbd", 119_333_334, made, ("00",)).to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"peakedex_cosign": 2},
        {"escrow": 5},
        {"chain_id": None},
        {"slot": -1},
        {"slot": True},
        {"slot": 1 << 40},
        {"slot": "5"},
        {"signatures": []},
        {"signatures": "00"},
        {"signatures": [5]},
        {"signatures": ["00"] * 41},
        {"transaction": {}},
        {"more": 1},
    ],
)
def test_anything_but_a_proposal_is_an_error(change: dict[str, object]) -> None:
    assert Proposal.of_json(valid()).to_json() == valid()
    with pytest.raises(ProposalError):
        Proposal.of_json({**valid(), **change})
    others: list[object] = [None, [], "x", {}]
    for other in others:
        with pytest.raises(ProposalError):
            Proposal.of_json(other)


values = st.one_of(
    st.sampled_from(
        ["bob", "thief", "peakedex.hbd", "5.000 HBD", "0.001 HBD", "rent", "", "[]", "{}", "null"]
    ),
    st.text(max_size=20),
)


@examples(60, unhealthy=True)
@given(
    st.dictionaries(st.sampled_from(["from", "to", "amount", "memo"]), values, max_size=4),
    st.integers(-2, 2),
    st.integers(-20, 20),
    st.integers(0, 3),
    st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
)
def test_nothing_that_is_not_ours_ever_gets_a_signature(
    group: Group, changes: dict[str, object], slot: int, seconds: int, prefix: int, numbers: list[int]
) -> None:
    """Random changes by a thief with some keys: accepted only if it is our own payment."""
    operator = group.operators[0]
    if not operator.records():
        group.withdraw("bob", "HBD", "5.000", memo="rent")
        group.round()
    [honest] = operator.proposals()
    made = with_value(honest.transaction, **changes)
    made = replace(
        made, expires=made.expires + seconds, ref_block_prefix=made.ref_block_prefix + (prefix == 1)
    )
    try:
        made = Transaction.of_json(made.to_json())
        proposal = forged(replace(honest, slot=honest.slot + slot), made, *numbers)
    except SigningError:
        return  # not even a transaction
    before = operator.records()
    verdict = operator.collector.receive(proposal)
    ours = made == honest.transaction and slot == 0 and 3 not in numbers
    assert (verdict.status == "accepted") == ours
    if not ours:
        assert operator.records() == before


def test_every_code_is_in_the_documents() -> None:
    root = Path(__file__).parents[3]
    raised = re.compile(r'raise (?:Refused|Later)\(\s*"([a-z_]+)"')
    modules = [root / f"settlement/payouts/cosign/{name}.py" for name in ("collector", "comparison")]
    codes = {code for module in modules for code in raised.findall(module.read_text())}
    chapter = (root / "docs/payouts.md").read_text().partition("### Refusals")[2]
    chapter = chapter.partition("\n## ")[0]
    assert len(codes) > 15
    assert codes == {code for code in re.findall(r"`([a-z_]+)`", chapter) if code != "later"}
