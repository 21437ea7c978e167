"""Simulated sidechain: executed and rejected actions, and receipts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.operations import Coin, CustomJson, Operation, Transfer
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.actions import SIDECHAIN_ID
from indexer.devnet.sidechain.chain import Sidechain

ESCROW = "peakedex.pek"


@pytest.fixture
def node() -> DevNode:
    node = DevNode(Chain(sign=False, check_json=False), Sidechain(heartbeat=0))
    node.sidechain.create_token("PEK", 3)
    for name in ("alice", "bobby", ESCROW):
        node.faucet(name)
    node.faucet("alice", "PEK", "100")
    node.faucet("alice", "HIVE", "100")
    return node


def custom(
    content: object, account: str = "alice", *, active: bool = True, ident: str = SIDECHAIN_ID
) -> CustomJson:
    text = content if isinstance(content, str) else json.dumps(content)
    return CustomJson((account,) if active else (), () if active else (account,), ident, text)


def move(quantity: object, to: object = ESCROW, symbol: object = "PEK", **more: object) -> dict[str, object]:
    payload = {"symbol": symbol, "to": to, "quantity": quantity, **more}
    return {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}


def token_action(name: str, quantity: str, **more: object) -> dict[str, object]:
    payload = {"symbol": "PEK", "quantity": quantity, **more}
    return {"contractName": "tokens", "contractAction": name, "contractPayload": payload}


def run(node: DevNode, *operations: Operation) -> tuple[str, list[dict[str, Any]]]:
    """The transaction's id and the rows of its block, with decoded payloads and logs."""
    ident = node.broadcast(operations)
    block = node.tick()
    assert block is not None
    raw = node.sidechain.block_of_hive(block.number)
    if raw is None:
        return ident, []
    sealed = json.loads(raw)
    assert sealed["refHiveBlockNumber"] == block.number
    rows = sealed["transactions"]
    for row in rows:
        row["payload"], row["logs"] = json.loads(row["payload"]), json.loads(row["logs"])
    return ident, rows


def test_a_transfer_leaves_an_event_as_the_sender_wrote_it(node: DevNode) -> None:
    ident, [row] = run(node, custom(move("1.50", memo="for the venue")))
    assert row["transactionId"] == ident
    assert (row["sender"], row["contract"], row["action"]) == ("alice", "tokens", "transfer")
    assert row["payload"] == {
        "symbol": "PEK",
        "to": ESCROW,
        "quantity": "1.50",
        "memo": "for the venue",
        "isSignedWithActiveKey": True,
    }
    data = {"from": "alice", "to": ESCROW, "symbol": "PEK", "quantity": "1.50"}
    assert row["logs"] == {"events": [{"contract": "tokens", "event": "transfer", "data": data}]}
    assert node.sidechain.balance("alice", "PEK") == 98_500
    assert node.sidechain.balance(ESCROW, "PEK") == 1_500


@pytest.mark.parametrize(
    ("element", "event", "data"),
    [
        (token_action("stake", "0x10"), "stake", {"account": "alice"}),
        (token_action("stake", "0x10", to=" bobby "), "stake", {"account": "bobby"}),
        (
            token_action("transferToContract", "0x10", to="market"),
            "transferToContract",
            {"from": "alice", "to": "market"},
        ),
    ],
)
def test_stakes_and_transfers_to_contracts_take_the_tokens_away(
    node: DevNode, element: dict[str, object], event: str, data: dict[str, object]
) -> None:
    _, [row] = run(node, custom(element))
    expected = data | {"symbol": "PEK", "quantity": "0x10"}
    assert row["logs"] == {"events": [{"contract": "tokens", "event": event, "data": expected}]}
    assert node.sidechain.balance("alice", "PEK") == 84_000
    assert node.sidechain.balance("bobby", "PEK") == 0


@pytest.mark.parametrize(
    ("element", "error"),
    [
        (move("100.001"), "overdrawn balance"),
        (move("1e30"), "overdrawn balance"),
        (move("1.0001"), "symbol precision mismatch"),
        (move("1e-4"), "symbol precision mismatch"),
        (move("0"), "must transfer positive quantity"),
        (move("-1"), "must transfer positive quantity"),
        (move(1), "invalid params"),
        (move(None), "invalid params"),
        (move("abc"), "invalid params"),
        (move("1", to=""), "invalid params"),
        (move("1", to=7), "invalid params"),
        (move("1", to="alice"), "cannot transfer to self"),
        (move("1", to="No Account"), "invalid to"),
        (move("1", symbol="NOPE"), "symbol does not exist"),
        ({"contractName": "tokens", "contractAction": "enableMagic", "contractPayload": {}}, "unknown error"),
        ({"contractName": "tokens", "contractAction": "stake", "contractPayload": {}}, "invalid params"),
        (token_action("stake", "0"), "must stake positive quantity"),
        (token_action("stake", "101"), "overdrawn balance"),
        (token_action("transferToContract", "1", to="ab"), "invalid to"),
        (token_action("transferToContract", "1", to="alice"), "cannot transfer to self"),
        (
            {"contractName": "peakedex", "contractAction": "buy", "contractPayload": {}},
            "contract doesn't exist",
        ),
        (
            {"contractName": "tokens", "contractAction": "transfer", "contractPayload": [1]},
            "you must use a custom_json signed with your active key",
        ),
    ],
)
def test_a_refused_action_leaves_its_error_and_moves_nothing(
    node: DevNode, element: dict[str, object], error: str
) -> None:
    _, [row] = run(node, custom(element))
    assert row["logs"] == {"errors": [error]}
    assert node.sidechain.balance("alice", "PEK") == 100_000


def test_the_posting_key_moves_nothing_and_cannot_pretend(node: DevNode) -> None:
    _, [row] = run(node, custom(move("1", isSignedWithActiveKey=True), active=False))
    assert row["logs"] == {"errors": ["you must use a custom_json signed with your active key"]}
    assert row["payload"]["isSignedWithActiveKey"] is False


def test_who_has_no_balance_is_told_so(node: DevNode) -> None:
    _, [row] = run(node, custom(move("1"), "bobby"))
    assert row["logs"] == {"errors": ["balance does not exist"]}


def test_the_recipient_is_trimmed_and_quantities_are_by_value(node: DevNode) -> None:
    elements = [move("+1", to=f"  {ESCROW}\n"), move(" 2.000 "), move("1e1"), move("0x10")]
    _, rows = run(node, custom(elements))
    data = [row["logs"]["events"][0]["data"] for row in rows]
    assert [item["to"] for item in data] == [ESCROW] * 4
    assert [item["quantity"] for item in data] == ["+1", " 2.000 ", "1e1", "0x10"]
    assert node.sidechain.balance(ESCROW, "PEK") == 29_000


def test_ids_name_the_operation_and_the_element_only_where_there_are_several(node: DevNode) -> None:
    ident, rows = run(node, custom([move("1")]))
    assert [row["transactionId"] for row in rows] == [ident]
    ident, rows = run(node, custom([move("1"), 7, {"no": "action"}, move("2")]))
    assert [row["transactionId"] for row in rows] == [f"{ident}-0", f"{ident}-3"]
    ident, rows = run(
        node, custom(move("1"), ident="other"), custom([move("1"), move("2")]), custom(move("3"))
    )
    assert [row["transactionId"] for row in rows] == [f"{ident}-1-0", f"{ident}-1-1", f"{ident}-2"]


def test_a_memo_makes_the_sidechain_act(node: DevNode) -> None:
    memo = json.dumps({"id": SIDECHAIN_ID, "json": move("4")})
    ident, [row] = run(node, Transfer("alice", "bobby", Coin(1000, "HIVE"), memo))
    assert row["transactionId"] == ident
    assert row["sender"] == "alice"
    assert row["payload"]["recipient"] == "bobby"
    assert row["payload"]["amountHIVEHBD"] == "1.000 HIVE"
    assert node.sidechain.balance(ESCROW, "PEK") == 4_000
    one = json.dumps({"id": SIDECHAIN_ID, "json": [move("4")]})
    assert len(run(node, Transfer("alice", "bobby", Coin(1, "HIVE"), one))[1]) == 1
    for ignored in (
        json.dumps({"id": SIDECHAIN_ID, "json": [move("4"), move("4")]}),
        json.dumps({"id": "other", "json": move("4"), "x": SIDECHAIN_ID}),
        f"{SIDECHAIN_ID} {{",
        json.dumps([SIDECHAIN_ID]),
    ):
        assert run(node, Transfer("alice", "bobby", Coin(1, "HIVE"), ignored))[1] == []


def test_after_twenty_actions_in_a_block_an_account_is_refused(node: DevNode) -> None:
    _, rows = run(node, custom([move("1")] * 15), custom([move("1")] * 10))
    assert [list(row["logs"]) for row in rows] == [["events"]] * 20 + [["errors"]] * 5
    assert node.sidechain.balance(ESCROW, "PEK") == 20_000
    _, [row] = run(node, custom(move("1")))
    assert "events" in row["logs"]


def test_one_action_may_leave_several_events_and_errors(node: DevNode) -> None:
    rows = [[ESCROW, "1"], ["alice", "1"], [ESCROW, "500"], ["bobby", "2"], "x"]
    element = {
        "contractName": "devnetsplit",
        "contractAction": "send",
        "contractPayload": {"symbol": "PEK", "list": rows},
    }
    _, [row] = run(node, custom(element))
    assert [event["data"]["to"] for event in row["logs"]["events"]] == [ESCROW, "bobby"]
    assert row["logs"]["errors"] == ["cannot transfer to self", "overdrawn balance", "invalid entry"]
    assert node.sidechain.balance(ESCROW, "PEK") == 1_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "7",
        "[]",
        "[[]]",
        '"x"',
        "[" * 4000 + "]" * 4000,
        '{"a":NaN}',
        '{"a":' + "1" * 5000 + "}",
    ],
)
def test_what_is_no_action_leaves_no_block(node: DevNode, text: str) -> None:
    assert run(node, custom(text))[1] == []


def test_odd_text_survives(node: DevNode) -> None:
    element = {
        "contractName": "\ud800",
        "contractAction": "x\0",
        "contractPayload": {"n": "\udc00", "big": 10**30},
    }
    _, [row] = run(node, custom(element))
    assert row["contract"] == "\ufffd"
    assert row["payload"]["n"] == "\udc00"


def test_balances_add_up_to_the_supply(node: DevNode) -> None:
    for quantity in ("1", "2.5", "1000", "0.001"):
        run(node, custom(move(quantity)), custom(move(quantity, to="bobby")))
    token = node.sidechain.tokens["PEK"]
    assert sum(token.balances.values()) == token.supply == 100_000
    assert min(token.balances.values()) >= 0


def test_blocks_chain_by_hash_and_an_empty_hive_block_has_none(node: DevNode) -> None:
    run(node, custom(move("1")))
    node.tick()
    run(node, custom(move("1")))
    assert node.sidechain.block_of_hive(2) is None
    first, second = (json.loads(node.sidechain.block(number) or b"") for number in (1, 2))
    assert second["previousHash"] == first["hash"]
    assert second["previousDatabaseHash"] == first["databaseHash"]
    assert (first["refHiveBlockNumber"], second["refHiveBlockNumber"]) == (1, 3)
    assert second["refHiveBlockId"] == node.chain.id_of(3).hex()
    assert second["prevRefHiveBlockId"] == node.chain.id_of(2).hex()


def test_a_heartbeat_shows_followers_that_it_moves() -> None:
    node = DevNode(Chain(sign=False), Sidechain(heartbeat=3))
    for _ in range(7):
        node.tick()
    assert [node.sidechain.block_of_hive(number) is not None for number in range(1, 8)] == [
        False, False, True, False, False, True, False,
    ]  # fmt: skip


def test_it_follows_the_head_and_may_be_held_back(node: DevNode) -> None:
    """As the published node does: it does not wait for irreversible blocks."""
    node.chain.lag = 5
    node.broadcast([custom(move("1"))])
    node.tick()
    assert (node.sidechain.last_hive_block, node.chain.irreversible) == (1, 0)
    assert node.sidechain.balance(ESCROW, "PEK") == 1_000
    node.behind = 3
    for _ in range(3):
        node.tick()
    assert node.sidechain.last_hive_block == 1
    node.behind = 0
    node.advance()
    assert node.sidechain.last_hive_block == node.chain.head == 4


def test_a_node_that_is_restored_after_a_fork_executes_the_new_branch(node: DevNode) -> None:
    node.chain.lag = 4
    node.broadcast([custom(move("1"))])
    node.tick()
    dropped = node.broadcast([custom(move("10"))])
    node.tick()
    node.faucet("bobby", "PEK", "7")
    assert node.sidechain.balance(ESCROW, "PEK") == 11_000
    node.fork(1, forget=True)
    node.broadcast([custom(move("2"))])
    for _ in range(6):
        node.tick()
    assert node.sidechain.transaction(dropped) is None
    assert node.sidechain.balance(ESCROW, "PEK") == 3_000
    assert node.sidechain.balance("bobby", "PEK") == 7_000
    sealed = [json.loads(node.sidechain.block(number) or b"") for number in (1, 2)]
    assert [block["refHiveBlockId"] for block in sealed] == [node.chain.id_of(at).hex() for at in (1, 2)]
    assert node.sidechain.block_number == 2
    node.chain.lag = 0
    node.advance()
    node.tick()
    assert node.sidechain.balance(ESCROW, "PEK") == 3_000


def test_a_cautious_node_waits_for_irreversible_blocks() -> None:
    node = DevNode(Chain(sign=False, lag=2), Sidechain(heartbeat=0), cautious=True)
    for _ in range(3):
        node.tick()
    assert node.sidechain.last_hive_block == node.chain.irreversible == 1


def test_blocks_are_fetched_before_they_are_executed() -> None:
    """As recorded from the published node: two blocks wait below the next one to fetch."""
    node = DevNode(Chain(sign=False), Sidechain(heartbeat=1), buffer=2)
    for _ in range(12):
        node.tick()
    assert (node.next_hive_block, node.sidechain.last_hive_block) == (13, 10)
    node.buffer = 5
    node.tick()
    assert (node.next_hive_block, node.sidechain.last_hive_block) == (14, 10)


def test_a_node_that_followed_a_fork_keeps_its_blocks_of_the_branch_that_lost(node: DevNode) -> None:
    node.chain.lag = 3
    for _ in range(3):
        node.tick()
    dropped = node.broadcast([custom(move("1"))])
    node.tick()
    orphan_id = node.chain.id_of(4).hex()
    node.fork(1, forget=True, sidechain=True)
    kept = node.broadcast([custom(move("2"))])
    for _ in range(6):
        node.tick()
    later = node.broadcast([custom(move("3"))])
    for _ in range(4):
        node.tick()
    assert node.forked is not None
    [ours, theirs] = [json.loads(each.block_of_hive(4) or b"") for each in (node.sidechain, node.forked)]
    assert ours["refHiveBlockId"] == node.chain.id_of(4).hex() != theirs["refHiveBlockId"] == orphan_id
    assert [block["transactions"][0]["transactionId"] for block in (ours, theirs)] == [kept, dropped]
    assert node.forked.transaction(kept) is None
    assert node.forked.transaction(later) is not None, "it goes on with the new branch"
    assert node.forked.balance(ESCROW, "PEK") == 4_000
    assert node.sidechain.balance(ESCROW, "PEK") == 5_000
    assert not node.forked_ended


def test_a_node_that_meets_a_transaction_of_the_branch_that_lost_again_ends(node: DevNode) -> None:
    node.chain.lag = 3
    for _ in range(3):
        node.tick()
    transaction = node.chain.build([custom(move("1"))])
    node.chain.push(transaction, authorized=True)
    node.tick()
    node.fork(1, forget=True, sidechain=True)
    node.tick()
    node.chain.push(transaction, authorized=True)
    for _ in range(6):
        node.tick()
    assert node.forked_ended
    assert node.sidechain.balance(ESCROW, "PEK") == 1_000


def test_denied_accounts_act_once_a_day(node: DevNode) -> None:
    node.sidechain.denied = frozenset(("alice",))
    logs = [run(node, custom(move("1")))[1][0]["logs"] for _ in range(2)]
    assert "events" in logs[0]
    assert logs[1] == {"errors": ["max transaction limit per day reached."]}
    node.tick(node.chain.head_time + 86_400)
    assert "events" in run(node, custom(move("1")))[1][0]["logs"]


def test_who_is_blacklisted_receives_nothing(node: DevNode) -> None:
    _, [row] = run(node, custom(move("1", to=" bittrex ")))
    assert row["logs"] == {"errors": ["not allowed to send to bittrex"]}
    node.sidechain.blacklist = ("bobby",)
    _, [row] = run(node, custom(move("1", to="bobby")))
    assert row["logs"] == {"errors": ["not allowed to send to bobby"]}
