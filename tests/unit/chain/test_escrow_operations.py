"""Operations on escrow accounts that the protocol does not read: which are found, in both JSON shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.escrow_operations import MAX_TEXT, EscrowOperation, escrow_operations
from tests.support.blocks import ESCROW, Operation, block, custom_json, transaction_id, transfer, watch

T0 = transaction_id(5, 0)
SHAPES = pytest.mark.parametrize("shape", ["block_api", "condenser"])
MILL = {
    "block_api": {"amount": "1234", "precision": 3, "nai": "@@000000021"},
    "condenser": "1.234 HIVE",
}

ACTING = {
    "transfer_to_vesting": "from",
    "transfer_to_savings": "from",
    "transfer_from_savings": "from",
    "cancel_transfer_from_savings": "from",
    "withdraw_vesting": "account",
    "set_withdraw_vesting_route": "from_account",
    "delegate_vesting_shares": "delegator",
    "recurrent_transfer": "from",
    "escrow_transfer": "from",
    "escrow_approve": "who",
    "escrow_dispute": "who",
    "escrow_release": "who",
    "limit_order_create": "owner",
    "limit_order_create2": "owner",
    "limit_order_cancel": "owner",
    "convert": "owner",
    "collateralized_convert": "owner",
    "claim_reward_balance": "account",
    "account_create": "creator",
    "account_create_with_delegation": "creator",
    "claim_account": "creator",
    "create_claimed_account": "creator",
    "create_proposal": "creator",
    "account_update": "account",
    "account_update2": "account",
    "request_account_recovery": "account_to_recover",
    "recover_account": "account_to_recover",
    "change_recovery_account": "account_to_recover",
    "decline_voting_rights": "account",
}
NAMED = {
    "transfer_to_vesting": "to",
    "transfer_to_savings": "to",
    "transfer_from_savings": "to",
    "set_withdraw_vesting_route": "to_account",
    "delegate_vesting_shares": "delegatee",
    "recurrent_transfer": "to",
    "escrow_transfer": "agent",
    "escrow_approve": "from",
    "escrow_dispute": "agent",
    "escrow_release": "receiver",
    "create_proposal": "receiver",
    "request_account_recovery": "recovery_account",
    "change_recovery_account": "new_recovery_account",
}


def found(*transactions: Any, shape: str = "block_api", decoded: bool = True) -> list[EscrowOperation]:
    """The operations of block 5, as after decoding it, or else without."""
    made = Block(block(5, *transactions, shape=shape))
    if decoded:
        list(decode(made, watch()))
    return escrow_operations(made, watch())


@SHAPES
def test_a_power_up_by_an_escrow_account(shape: str) -> None:
    power_up = ("transfer_to_vesting", {"from": ESCROW, "to": "mallory", "amount": MILL[shape]})
    [operation] = found([transfer("alice", "bob", "1.000 HIVE"), power_up], shape=shape)
    assert operation == EscrowOperation(
        block=5,
        position=0,
        transaction_id=T0,
        operation_index=1,
        type="transfer_to_vesting",
        account=ESCROW,
        acting=True,
        text='{"amount":"1.234 HIVE","from":"peakedex.hive","to":"mallory"}',
    )


@SHAPES
@pytest.mark.parametrize("name", ACTING)
def test_each_type_by_the_account_that_acts(name: str, shape: str) -> None:
    [operation] = found([(name, {ACTING[name]: ESCROW, "amount": MILL[shape]})], shape=shape)
    assert (operation.type, operation.account, operation.acting) == (name, ESCROW, True)


@SHAPES
@pytest.mark.parametrize("name", NAMED)
def test_an_account_that_is_only_named_does_not_act(name: str, shape: str) -> None:
    value = {ACTING[name]: "alice", NAMED[name]: ESCROW}
    [operation] = found([(name, value)], shape=shape)
    assert (operation.type, operation.account, operation.acting) == (name, ESCROW, False)


def test_between_two_escrow_accounts_each_has_a_row() -> None:
    looking = watch(escrows={ESCROW, "peakedex.hbd"})
    made = Block(block(5, [("recurrent_transfer", {"from": ESCROW, "to": "peakedex.hbd"})]))
    list(decode(made, looking))
    rows = escrow_operations(made, looking)
    assert [(each.position, each.account, each.acting) for each in rows] == [
        (0, "peakedex.hbd", False),
        (1, ESCROW, True),
    ]


def test_what_the_protocol_reads_or_nobody_loses_by_is_not_recorded() -> None:
    ours: list[Operation] = [
        transfer(ESCROW, "bob", "1.000 HIVE"),
        custom_json({"contractName": "tokens"}, ESCROW),
        ("vote", {"voter": ESCROW, "author": ESCROW, "permlink": "x", "weight": 1}),
        ("transfer_to_vesting", {"from": "alice", "to": "bob", "memo": ESCROW}),
        ("account_update", {"account": f"x{ESCROW}"}),
    ]
    assert found(ours) == []
    assert found([("transfer_to_vesting", {"from": "alice", "to": "bob"})]) == []


@pytest.mark.parametrize("decoded", [True, False])
def test_the_search_is_the_same_without_decoding_before(decoded: bool) -> None:
    assert len(found([("convert", {"owner": ESCROW})], decoded=decoded)) == 1
    assert found([transfer("alice", "bob", "1.000 HIVE")], decoded=decoded) == []


def test_names_in_escapes_are_found() -> None:
    text = block(5, [("convert", {"owner": ESCROW})]).replace(b"peakedex.hive", rb"\u0070eakedex.hive")
    made = Block(text)
    list(decode(made, watch()))
    assert [each.account for each in escrow_operations(made, watch())] == [ESCROW]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [ESCROW],
        ESCROW,
        {"owner": [ESCROW]},
        {"owner": {ESCROW: 1}},
        {"Owner": ESCROW},
        {"owner": None, ESCROW: "owner"},
    ],
)
def test_values_of_other_forms_are_passed_over(value: Any) -> None:
    assert found([("convert", value)]) == []


@pytest.mark.parametrize(
    "more",
    [
        {"note": "\ud800 lone"},
        {"\ud800": 1},
        {"note": "\u0000\u202e é"},
        {"number": 10**400},
        {"amount": {"amount": "1" * 5_000, "precision": 3, "nai": "@@000000021"}},
        {"amount": {"amount": "١", "precision": 3, "nai": "@@000000021"}},
        {"amount": {"amount": {}, "precision": 3, "nai": []}},
        {f"k{n}": "x" * 9_000 for n in range(40)},
        {"deep": json.loads("[" * 300 + "]" * 300)},
    ],
    ids=["surrogate", "key", "control", "number", "amount", "digits", "objects", "long", "deep"],
)
def test_hostile_content_is_recorded_or_passed_over_but_never_an_error(more: dict[str, Any]) -> None:
    rows = found([("account_update2", {"account": ESCROW, **more}), ("convert", {"owner": ESCROW})])
    assert [each.type for each in rows][-1] == "convert"
    for row in rows:
        assert row.text.isascii()
        assert row.text.isprintable()
        assert len(row.text) <= MAX_TEXT


def test_both_shapes_give_the_same_row() -> None:
    rows = [
        found([("limit_order_create", {"owner": ESCROW, "amount_to_sell": MILL[shape]})], shape=shape)
        for shape in MILL
    ]
    assert rows[0] == rows[1]
