"""Decoding of blocks into events: each rule of protocol section 4, as a block and its events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode, has_candidate
from indexer.chain.receipts import ReceiptError, Receipts
from settlement.core.events import HIVE, HIVE_ENGINE, Action, Event, JsonNumber, Movement, VenueFilter
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded
from tests.support.blocks import (
    ESCROW,
    action,
    block,
    custom_json,
    moved,
    transaction_id,
    transfer,
    watch,
)

T0 = transaction_id(5, 0)
T1 = transaction_id(5, 1)
TO_ESCROW = {"symbol": "SWAP.HIVE", "to": ESCROW, "quantity": "1", "memo": "for my account"}
FLAT = {"base": "PEK", "quote": "SWAP.HIVE", "side": "buy", "price": "0.1", "amount": "5"}
SHAPES = pytest.mark.parametrize("shape", ["block_api", "condenser"])


def events_of(
    *transactions: Any, logs: dict[str, Any] | None = None, looking: VenueFilter | None = None, **options: Any
) -> list[Event]:
    """The events of block 5 with these transactions and, where given, these receipts."""
    receipts = None if logs is None else Receipts(chain.receipts(5, logs))
    return list(decode(Block(block(5, *transactions, **options)), looking or watch(), receipts))


def needs_receipts(*transactions: Any, looking: VenueFilter | None = None) -> bool:
    return has_candidate(Block(block(5, *transactions)), looking or watch())


# ------------------------------------------------------------------ native coins


@SHAPES
def test_a_transfer_to_or_from_an_escrow_account_is_a_movement(shape: str) -> None:
    assert events_of(
        [transfer("alice", ESCROW, "1.000 HIVE", "hello")],
        [transfer(ESCROW, "bob", "0.001 HBD")],
        [transfer("alice", "bob", "7.000 HIVE")],
        shape=shape,
    ) == [
        Movement(T0, HIVE, "alice", ESCROW, "HIVE", "1.000", "hello"),
        Movement(T1, HIVE, ESCROW, "bob", "HBD", "0.001", ""),
    ]


def test_only_a_memo_that_names_the_sidechain_and_an_escrow_account_waits_for_receipts() -> None:
    assert not needs_receipts([transfer("alice", ESCROW, "1.000 HIVE", "hello")])
    assert not needs_receipts([transfer("alice", "bob", "1.000 HIVE", chain.SIDECHAIN_ID)])
    assert not needs_receipts([transfer("alice", "bob", "1.000 HIVE", ESCROW)])
    assert needs_receipts([transfer("alice", "bob", "1.000 HIVE", f"{chain.SIDECHAIN_ID} {ESCROW}")])


def test_a_memo_can_move_tokens_after_the_coins_that_carry_it() -> None:
    for content in (action("transfer", TO_ESCROW, "tokens"), [action("transfer", TO_ESCROW, "tokens")]):
        memo = json.dumps({"id": chain.SIDECHAIN_ID, "json": content})
        assert events_of(
            [transfer("alice", ESCROW, "1.000 HIVE", memo), transfer("alice", "bob", "1.000 HIVE", memo)],
            logs={f"{T0}-0": [moved("alice", ESCROW, "1")], f"{T0}-1": [moved("alice", ESCROW, "2")]},
        ) == [
            Movement(f"{T0}-0", HIVE, "alice", ESCROW, "HIVE", "1.000", memo),
            Movement(f"{T0}-0.1", HIVE_ENGINE, "alice", ESCROW, "SWAP.HIVE", "1", "for my account"),
            Movement(f"{T0}-1", HIVE_ENGINE, "alice", ESCROW, "SWAP.HIVE", "2", "for my account"),
        ]


@pytest.mark.parametrize(
    "content", ["[]", '[{"contractPayload":{"memo":"x"}},1]', "5", '{"contractPayload":5}']
)
def test_receipts_of_a_memo_count_even_where_the_memo_is_odd(content: str) -> None:
    memo = f'{{"id":"{chain.SIDECHAIN_ID}","for":"{ESCROW}","json":{content}}}'
    for text in (memo, memo[:-1]):
        assert events_of(
            [transfer("alice", "bob", "1.000 HIVE", text)], logs={T0: [moved("alice", ESCROW, "1")]}
        ) == [Movement(T0, HIVE_ENGINE, "alice", ESCROW, "SWAP.HIVE", "1", None)]


def test_an_intent_in_a_memo_is_none() -> None:
    memo = json.dumps({"id": chain.SIDECHAIN_ID, "json": action("buy")})
    assert events_of([transfer("alice", "bob", "1.000 HIVE", memo)], logs={}) == []


# ------------------------------------------------------------------ intents


def test_an_element_for_our_contract_is_an_action_of_its_signer() -> None:
    payload = {"symbol": "PEK", "quantity": 5, "price": "0.1"}
    assert events_of(
        [custom_json(action("buy", payload), "alice")], [custom_json(action("sell"), "bob", active=False)]
    ) == [
        Action(T0, "alice", True, "buy", {"symbol": "PEK", "quantity": "5", "price": "0.1"}),
        Action(T1, "bob", False, "sell", None),
    ]
    (first, _) = events_of([custom_json(action("buy", payload))], [custom_json(action("buy"))])
    assert isinstance(first, Action)
    assert isinstance(first.payload, dict)
    assert type(first.payload["quantity"]) is JsonNumber


def test_the_active_signer_goes_before_the_posting_one() -> None:
    name, value = custom_json(action("buy"))
    both = {**value, "required_auths": ["zoe"], "required_posting_auths": ["alice"]}
    assert events_of([(name, both)]) == [Action(T0, "zoe", True, "buy", None)]


def test_names_and_payloads_may_be_anything_and_are_left_to_the_rules() -> None:
    odd = [{"contractName": "peakedex", "contractAction": {"a": [None]}, "contractPayload": "text"}]
    assert events_of([custom_json(odd)]) == [Action(T0, "alice", True, {"a": [None]}, "text")]
    assert events_of([custom_json({"contractName": "peakedex"})]) == [Action(T0, "alice", True, None, None)]


@pytest.mark.parametrize(
    "content",
    [
        *(
            action("buy", contract="market"),
            action("buy", contract="Peakedex"),
            {"contractName": ["peakedex"]},
        ),
        *("", "{", "peakedex", '"peakedex"', "[peakedex]", "NaN", '{"contractName":"peakedex"} {}', "5"),
        *([], [[action("buy")]], [None, 5, "peakedex"], {"peakedex": action("buy")}),
        '{"contractName":"peakedex","contractName":"market"}',
    ],
)
def test_all_else_is_ignored(content: object) -> None:
    assert events_of([custom_json(content)]) == []


def test_a_custom_json_of_another_id_is_ignored() -> None:
    assert events_of([custom_json(action("buy"), id="sm_market_rent")]) == []


def test_a_contract_name_that_looks_like_a_number_must_still_be_text() -> None:
    looking = watch(contract="5")
    assert events_of([custom_json('{"contractName":5}')], looking=looking) == []
    assert len(events_of([custom_json('{"contractName":"5"}')], looking=looking)) == 1


def test_ids_follow_the_place_of_the_operation_and_of_the_element() -> None:
    one, two = action("buy"), [action("buy"), None, action("sell")]
    assert [event.id for event in events_of([custom_json(one)], [custom_json(two)])] == [
        T0,
        f"{T1}-0",
        f"{T1}-2",
    ]
    assert [event.id for event in events_of([custom_json([one])])] == [T0]
    vote = ("vote", {"voter": "alice"})
    assert [event.id for event in events_of([vote, custom_json(one), custom_json(two)])] == [
        f"{T0}-1",
        f"{T0}-2-0",
        f"{T0}-2-2",
    ]


def test_a_flat_intent_is_an_action_where_the_venue_takes_them() -> None:
    taken = Action(T0, "alice", True, "buy", FLAT, flat=True)
    assert events_of([custom_json(FLAT)]) == [taken]
    assert events_of([custom_json(FLAT)], looking=watch(accept_flat_intents=False)) == []
    assert events_of([custom_json([{**FLAT, "contractName": None}])]) == []
    for key in FLAT:
        assert events_of([custom_json({name: FLAT[name] for name in FLAT if name != key})]) == []


def test_hostile_json_neither_stops_nor_hides_anything() -> None:
    nested = '{"contractName":"peakedex","contractPayload":' + "[" * 3000 + "]" * 3000 + "}"
    long = '{"contractName":"peakedex","contractPayload":' + "9" * 5000 + "}"
    surrogate = '{"contractName":"peakedex","contractPayload":"\\ud800\\u0000"}'
    found = events_of(*([custom_json(text)] for text in (nested, "[" * 4000, long, surrogate)))
    assert [event.id for event in found] == [transaction_id(5, index) for index in (0, 2, 3)]
    assert isinstance(found[1], Action)
    assert found[1].payload == "9" * 5000
    assert isinstance(found[2], Action)
    assert found[2].payload == "\ud800\x00"


# ------------------------------------------------------------------ receipts


def test_tokens_move_as_far_as_the_receipts_show_it() -> None:
    ask = [custom_json(action("transfer", TO_ESCROW, "tokens"))]
    assert needs_receipts(ask)
    assert events_of(ask) == []
    assert events_of(ask, logs={}) == []
    assert events_of(ask, logs={T0: [moved("alice", ESCROW, "1")]}) == [
        Movement(T0, HIVE_ENGINE, "alice", ESCROW, "SWAP.HIVE", "1", "for my account")
    ]


def test_a_custom_json_that_names_no_escrow_account_moves_nothing() -> None:
    """Not even with receipts: the rule applies to the text on Hive, which is the same for every replica."""
    ask = [custom_json(action("transfer", {"to": "bob"}, "tokens"))]
    assert not needs_receipts(ask)
    assert events_of(ask, logs={T0: [moved("alice", ESCROW, "1")]}) == []


def test_what_an_escrow_account_signs_is_looked_at_whatever_its_text_says() -> None:
    """A payout's text names only its recipient: without this rule an outflow could be missed."""
    pay = {"symbol": "SWAP.HIVE", "to": "bob", "quantity": "1", "memo": "peakedex:a"}
    sent = [custom_json(action("transfer", pay, "tokens"), ESCROW)]
    assert needs_receipts(sent)
    assert events_of(sent, logs={T0: [moved(ESCROW, "bob", "1")]}) == [
        Movement(T0, HIVE_ENGINE, ESCROW, "bob", "SWAP.HIVE", "1", "peakedex:a")
    ]
    assert needs_receipts([custom_json(action("transfer", pay, "tokens"), ESCROW, active=False)])
    memo = json.dumps({"id": chain.SIDECHAIN_ID, "json": action("transfer", pay, "tokens")})
    assert needs_receipts([transfer(ESCROW, "bob", "1.000 HIVE", memo)])


@pytest.mark.parametrize(
    ("spelled", "is_named"),
    [
        (r"\u0070eakedex.hive", True),
        (r"peakedex\u002Ehive", True),
        (r"peakedex\u002ehi\u0076e", True),
        (r"\\u0070eakedex.hive", True),  # an escaped backslash before it: read all the same
        (r"\u005cu0070eakedex.hive", False),  # read once, from left to right
        (r"\U0070eakedex.hive", False),
        (r"\u007eakedex.hive", False),
        (r"\u0170eakedex.hive", False),
        (r"\u00", False),
    ],
)
def test_an_escape_in_the_text_is_read_as_its_character_whatever_stands_before_it(
    spelled: str, is_named: bool
) -> None:
    text = json.dumps(action("transfer", TO_ESCROW, "tokens")).replace("peakedex.hive", spelled)
    assert needs_receipts([custom_json(text)]) == is_named
    memo = f"{chain.SIDECHAIN_ID} {spelled}"
    assert needs_receipts([transfer("alice", "bob", "1.000 HIVE", memo)]) == is_named


def test_an_escape_in_the_blocks_own_text_is_one_as_well() -> None:
    plain = chain.as_text(chain.block_value(5, [[custom_json(action("transfer", TO_ESCROW, "tokens"))]]))
    escaped = plain.replace(b"peakedex.hive", b"\\u0070eakedex.hive")
    assert escaped != plain
    assert has_candidate(Block(escaped), watch())


def test_the_id_in_a_memo_may_be_escaped() -> None:
    """The sidechain parses a memo as JSON, and compares its id then."""
    memo = json.dumps({"id": chain.SIDECHAIN_ID, "json": action("transfer", TO_ESCROW, "tokens")})
    hidden = memo.replace("ssc-", r"s\u0073c\u002d")
    sent = [transfer("alice", "bob", "1.000 HIVE", hidden)]
    assert needs_receipts(sent)
    assert events_of(sent, logs={T0: [moved("alice", ESCROW, "1")]}) == [
        Movement(T0, HIVE_ENGINE, "alice", ESCROW, "SWAP.HIVE", "1", "for my account")
    ]


def test_a_custom_json_of_another_id_never_waits() -> None:
    assert not needs_receipts([custom_json(action("transfer", TO_ESCROW, "tokens"), id="other")])


def test_further_movements_of_an_element_are_numbered_and_foreign_ones_do_not_count() -> None:
    ask = [custom_json(action("swap", {"pool": ESCROW}, "marketpools"))]
    logs = [
        moved("alice", "pool", "9"),
        moved("alice", ESCROW, "1"),
        {"contract": "marketpools", "event": "transfer", "data": moved("alice", ESCROW, "1")["data"]},
        {"contract": "tokens", "event": "issue", "data": moved("alice", ESCROW, "1")["data"]},
        {"contract": "tokens", "event": "transfer", "data": "nonsense"},
        {},
        moved(ESCROW, "bob", "2"),
        moved(ESCROW, ESCROW, "3", "PEK"),
    ]
    assert events_of(ask, logs={T0: logs}) == [
        Movement(T0, HIVE_ENGINE, "alice", ESCROW, "SWAP.HIVE", "1", None),
        Movement(f"{T0}.1", HIVE_ENGINE, ESCROW, "bob", "SWAP.HIVE", "2", None),
        Movement(f"{T0}.2", HIVE_ENGINE, ESCROW, ESCROW, "PEK", "3", None),
    ]


def test_movements_and_actions_of_an_array_come_in_its_order() -> None:
    pay = action("transfer", TO_ESCROW, "tokens")
    ask = [custom_json([pay, action("buy", {"note": ESCROW}), 5, pay])]
    logs = {f"{T0}-{index}": [moved("alice", ESCROW, str(index))] for index in range(4)}
    assert [(event.id, type(event)) for event in events_of(ask, logs=logs)] == [
        (f"{T0}-0", Movement),
        (f"{T0}-1", Movement),
        (f"{T0}-1", Action),
        (f"{T0}-2", Movement),
        (f"{T0}-3", Movement),
    ]


def test_events_count_even_beside_errors() -> None:
    log = json.dumps({"events": [moved("alice", ESCROW, "1")], "errors": ["overdrawn balance"]})
    assert len(events_of([custom_json(action("transfer", TO_ESCROW, "tokens"))], logs={T0: log})) == 1


@pytest.mark.parametrize(
    ("written", "literal"),
    [
        ('"1.000"', "1.000"),
        ('" +1e3 "', " +1e3 "),
        ("1.500", "1.500"),
        ("1E400", "1E400"),
        ("-0", "-0"),
        ("9" * 5000, "9" * 5000),
        ("null", "null"),
        ("[1, {}]", "null"),
        ("true", "null"),
        ('{"a" : "é"}', "null"),
        ("[" * 3000 + "]" * 3000, "null"),
        ('"\\ud800"', "\ud800"),
    ],
)
def test_the_quantity_is_a_text_or_a_literal_number_and_else_null(written: str, literal: str) -> None:
    log = json.dumps({"events": [moved("alice", ESCROW, "HERE")]}).replace('"HERE"', written)
    (event,) = events_of([custom_json(action("transfer", TO_ESCROW, "tokens"))], logs={T0: log})
    assert isinstance(event, Movement)
    assert event.quantity == literal
    assert type(event.quantity) is str


def test_an_event_without_a_quantity_is_a_movement_all_the_same() -> None:
    event = moved("alice", ESCROW, "1")
    del event["data"]["quantity"]
    (found,) = events_of([custom_json(action("transfer", TO_ESCROW, "tokens"))], logs={T0: [event]})
    assert isinstance(found, Movement)
    assert found.quantity == "null"


@pytest.mark.parametrize(
    "event",
    [
        moved(5, ESCROW, "1"),
        moved(None, ESCROW, "1"),
        moved(ESCROW, ["bob"], "1"),
        moved("alice", ESCROW, "1", 7),
    ],
)
def test_an_event_whose_names_are_no_text_is_no_movement(event: dict[str, Any]) -> None:
    assert events_of([custom_json(action("transfer", TO_ESCROW, "tokens"))], logs={T0: [event]}) == []


@pytest.mark.parametrize("memo", [5, None, ["x"], {"a": 1}])
def test_a_memo_that_is_no_text_is_none(memo: object) -> None:
    ask = custom_json(action("transfer", {**TO_ESCROW, "memo": memo}, "tokens"))
    (event,) = events_of([ask], logs={T0: [moved("alice", ESCROW, "1")]})
    assert isinstance(event, Movement)
    assert event.memo is None


@pytest.mark.parametrize("log", ["", "{", "[]", "5", '{"events":{}}', '{"events":[5]}', '{"events":NaN}'])
def test_malformed_logs_are_the_nodes_fault_and_stop_the_read(log: str) -> None:
    with pytest.raises(ReceiptError, match=rf"block 5, transaction {T0}, operation 0: logs of {T0}"):
        events_of([custom_json(action("transfer", TO_ESCROW, "tokens"))], logs={T0: log})


# ------------------------------------------------------------------ other ways out


def outflow(name: str, **data: Any) -> dict[str, Any]:
    return {"contract": "tokens", "event": name, "data": {"symbol": "SWAP.HIVE", "quantity": "1", **data}}


def test_stakes_and_transfers_to_contracts_that_an_escrow_account_signs_are_outflows() -> None:
    sent = [custom_json(action("stake", {"memo": "x"}, "tokens"), ESCROW)]
    logs = [
        outflow("transferToContract", **{"from": ESCROW, "to": "tokens"}),
        outflow("stake", account="bob"),
        outflow("stake", to="carol", account="bob"),
        moved(ESCROW, "bob", "2"),
    ]
    assert events_of(sent, logs={T0: logs}) == [
        Movement(T0, HIVE_ENGINE, ESCROW, "tokens", "SWAP.HIVE", "1", "x", outflow_only=True),
        Movement(f"{T0}.1", HIVE_ENGINE, ESCROW, "bob", "SWAP.HIVE", "1", "x", outflow_only=True),
        Movement(f"{T0}.2", HIVE_ENGINE, ESCROW, "carol", "SWAP.HIVE", "1", "x", outflow_only=True),
        Movement(f"{T0}.3", HIVE_ENGINE, ESCROW, "bob", "SWAP.HIVE", "2", "x"),
    ]
    in_memo = json.dumps({"id": chain.SIDECHAIN_ID, "json": action("stake", None, "tokens")})
    (coins, staked) = events_of(
        [transfer(ESCROW, "bob", "1.000 HIVE", in_memo)], logs={T0: [outflow("stake", account="bob")]}
    )
    assert coins == Movement(T0, HIVE, ESCROW, "bob", "HIVE", "1.000", in_memo)
    assert staked == Movement(
        f"{T0}.1", HIVE_ENGINE, ESCROW, "bob", "SWAP.HIVE", "1", None, outflow_only=True
    )


@pytest.mark.parametrize(
    "event",
    [
        outflow("transferToContract", **{"from": "alice", "to": "tokens"}),
        outflow("transferToContract", to="tokens"),
        outflow("transferToContract", **{"from": ESCROW}),
        outflow("stake"),
        outflow("stake", to=None, account="bob"),
        outflow("stake", account=5),
        outflow("stake", account="bob", symbol=None),
        {**outflow("stake", account="bob"), "contract": "nft"},
        outflow("unstake", account=ESCROW),
        outflow("transferFromContract", **{"from": "tokens", "to": ESCROW}),
        outflow("issueToContract", **{"from": ESCROW, "to": "tokens"}),
    ],
)
def test_other_events_of_what_an_escrow_account_signs_are_none(event: dict[str, Any]) -> None:
    assert events_of([custom_json(action("stake", None, "tokens"), ESCROW)], logs={T0: [event]}) == []


def test_what_others_sign_moves_nothing_out_of_an_escrow_account_but_by_transfer() -> None:
    ask = [custom_json(action("stake", {"to": ESCROW}, "tokens"))]
    logs = [
        outflow("stake", to=ESCROW, account="alice"),
        outflow("transferToContract", **{"from": ESCROW, "to": "tokens"}),
    ]
    assert events_of(ask, logs={T0: logs}) == []


# ------------------------------------------------------------------ what no real chain says


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (("transfer", {"from": "alice", "to": ESCROW, "memo": ""}), "amount"),
        (("transfer", {"from": "alice", "to": ESCROW, "memo": 5, "amount": "1.000 HIVE"}), "memo"),
        (("transfer", {"from": "alice", "to": ESCROW, "memo": "", "amount": "1 BTC"}), "not an amount"),
        (("custom_json", {"id": chain.SIDECHAIN_ID, "json": "peakedex"}), "required_auths"),
        (
            (
                "custom_json",
                {**custom_json("peakedex")[1], "required_auths": [], "required_posting_auths": []},
            ),
            "signer",
        ),
        (("custom_json", {**custom_json("peakedex")[1], "required_auths": [5]}), "required_auths"),
        (("custom_json", {**custom_json("peakedex")[1], "json": {"contractName": "peakedex"}}), "json"),
        (("custom_json", ["peakedex"]), "object"),
    ],
)
def test_an_operation_that_no_node_would_write_is_named(operation: Any, problem: str) -> None:
    text = block(5, [("vote", {}), operation], shape="condenser")
    with pytest.raises(BlockError, match=rf"block 5, transaction {T0}, operation 1: .*{problem}"):
        list(decode(Block(text), watch()))


# ------------------------------------------------------------------ real operations


def test_the_recorded_blocks_of_2025_hold_nineteen_sidechain_operations() -> None:
    """With `market` as the contract, its actions are read as intents; ids are those of the sidechain's rule."""
    looking = watch(contract="market", escrows=set())
    found: list[Event] = []
    sidechain_operations = 0
    for value in recorded.load("workerbee_mirrornet_blocks_97477292-97477298"):
        text = chain.as_text(value)
        sidechain_operations += text.count(b'"id":"ssc-mainnet-hive"')
        with_filter = list(decode(Block(text), looking))
        assert with_filter == list(decode(Block(text), looking, prefilter=False))
        assert with_filter == list(decode(Block(chain.as_text(recorded.in_other_shape(value))), looking))
        found += with_filter
    assert sidechain_operations == 19
    assert found
    assert all(isinstance(event, Action) and event.name in {"buy", "sell", "cancel"} for event in found)
    assert len({event.id for event in found}) == len(found)
