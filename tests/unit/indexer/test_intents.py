"""Building of intents: the rules accept what is built, and what they would reject is an error before signing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from indexer.devnet.venue import EXAMPLE
from indexer.intents.actions import ACTIONS
from indexer.intents.drafts import Draft, build, deposit, venue_of_api
from indexer.intents.explain import IntentError
from indexer.intents.sandbox import Situation
from settlement.core.events import JsonNumber
from settlement.core.operator_actions import OPERATOR_ACTIONS
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.intents import read_intent, read_principal
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.venue import parse_venue

VENUE = parse_venue(EXAMPLE.read_text("utf-8"))
NOW = 1_800_000_000
HERE = Situation(VENUE, NOW)
ORDER = "0123456789abcdef0123456789abcdef01234567"
HASH = "0" * 64
LIMIT: dict[str, object] = {"symbol": "PEK", "quantity": "100", "price": "0.0004"}
BUDGET: dict[str, object] = {"symbol": "PEK", "quantity": "1.5"}
TRIGGER: dict[str, object] = {"triggerPrice": "0.0005", "triggerWhen": "above"}
PROTECTIVE: dict[str, object] = {"stopPrice": "0.0003", "stopLimit": "0.00025"}
GRANT: dict[str, object] = {
    "to": "posting",
    "pairs": ["PEK/SWAP.HIVE", "PEK/HBD"],
    "perDay": {"PEK": "5000", "HBD": "1.5"},
    "bandBps": 200,
    "until": NOW + 86_400,
}
LISTING: dict[str, object] = {
    "symbol": "BEE",
    "precision": 8,
    "escrow": "peakedex.pek",
    "minWithdrawal": "0.1",
}
PAIR: dict[str, object] = {"symbol": "PIMP", "quote": "SWAP.HIVE", "priceDecimals": 6, "quantityDecimals": 2}
CHECKPOINT: dict[str, object] = {"block": 101_000_000, "stateHash": HASH, "journalHash": HASH}
UPGRADE: dict[str, object] = {"protocol": 3, "text": HASH, "block": 110_000_000}

Case = tuple[str, dict[str, object]]

GOOD: list[Case] = [
    ("buy", LIMIT),
    ("sell", {"symbol": "PEK", "quote": "SWAP.BTC", "quantity": "20000", "price": "0.000000000001"}),
    ("buy", LIMIT | {"expiration": 60, "postOnly": True, "settle": "wallet", "ref": "mine-1"}),
    ("buy", LIMIT | {"timeInForce": "IOC", "maxFeeBps": 20, "notAfter": NOW}),
    ("buy", LIMIT | {"quantity": "100.00", "price": "0.00040000"}),
    ("buy", LIMIT | TRIGGER | {"timeInForce": "FOK", "settle": "venue"}),
    ("sell", LIMIT | PROTECTIVE),
    ("marketBuy", BUDGET),
    ("marketBuy", BUDGET | TRIGGER | {"price": "0.0006", "expiration": 3600}),
    ("marketSell", BUDGET | {"quote": "PIMP", "price": "0.0001", "settle": "wallet"}),
    ("cancel", {"id": f"{ORDER}-3-19", "ref": "x"}),
    ("cancelAll", {}),
    ("cancelAll", {"symbol": "PEK", "quote": "HBD"}),
    ("replace", {"id": ORDER, "price": "0.1"}),
    ("replace", {"id": ORDER, **PROTECTIVE, "maxFeeBps": 0}),
    ("cancelAllAfter", {"seconds": 0}),
    ("cancelAllAfter", {"seconds": 86_400}),
    ("withdraw", {"symbol": "HBD", "quantity": "1.234", "to": "alice", "memo": "Grüße, 東京"}),
    ("withdraw", {"symbol": "PEK", "quantity": "all"}),
    ("cancelWithdrawal", {"id": f"{ORDER}#PEK"}),
    ("grant", GRANT),
    ("grant", GRANT | {"to": "alice.bot", "bandBps": 0, "until": NOW + 7_776_000}),
    ("revoke", {"to": "posting"}),
    ("listToken", LISTING),
    ("listPair", PAIR | {"makerFeeBps": 1, "takerFeeBps": 2, "pricePolicy": "ask", "selfTrade": "allow"}),
    ("updatePair", {"symbol": "PEK", "quote": "HBD", "status": "paused", "makerFeeBps": 0}),
    ("updateVenue", {"maxOpenOrders": 10_000, "feeAccount": "some.fees"}),
    ("updateVenue", {}),
    ("checkpoint", CHECKPOINT),
    ("returnWithdrawal", {"id": ORDER}),
    ("upgrade", UPGRADE),
    ("upgrade", UPGRADE | {"block": 0}),
]


def read_by_the_rules(draft: Draft) -> PayloadReader:
    element = json.loads(draft.text(), parse_int=JsonNumber, parse_float=JsonNumber)
    assert element["contractName"] == "peakedex"
    reader = PayloadReader(element["contractPayload"])
    reader.ref()
    reader.not_after()
    if element["contractAction"] not in OPERATOR_ACTIONS:
        assert read_intent(element["contractAction"], reader) is not None
        read_principal(reader)
    assert not reader.invalid
    return reader


@pytest.mark.parametrize(("action", "payload"), GOOD)
def test_the_rules_read_what_is_built(action: str, payload: dict[str, object]) -> None:
    draft = build(action, payload, HERE)
    reader = read_by_the_rules(draft)
    assert all(reader.has(key) for key in payload)
    name, value = draft.operation("alice")
    assert name == "custom_json"
    assert value["required_auths"] == ["alice"]
    assert value["required_posting_auths"] == []
    assert value["id"] == "ssc-mainnet-hive"
    assert value["json"] == draft.text()


def test_there_is_an_example_of_every_action_and_every_field() -> None:
    seen = {(action, key) for action, payload in GOOD for key in payload}
    assert {action for action, _ in GOOD} == set(ACTIONS)
    common = {"ref", "notAfter", "for"}
    limit = {field.key for action in ("buy", "sell") for field in ACTIONS[action].fields}
    assert {key for action, key in seen if action in ("buy", "sell")} | common == limit
    for action in (
        "replace",
        "withdraw",
        "grant",
        "listToken",
        "listPair",
        "updateVenue",
        "checkpoint",
        "upgrade",
    ):
        keys = {field.key for field in ACTIONS[action].fields} - common
        assert keys - {key for of, key in seen if of == action} <= {"quantity"}, action


def test_what_is_not_given_is_left_out() -> None:
    draft = build("buy", LIMIT | {"quote": None, "ref": None}, HERE)
    assert json.loads(draft.text())["contractPayload"] == LIMIT


# -- under a grant --------------------------------------------------------------------------------

BY_GRANT: list[Case] = [
    ("buy", LIMIT | {"timeInForce": "IOC", "postOnly": False, "maxFeeBps": 20}),
    ("marketSell", BUDGET | {"price": "0.0001"}),
    ("replace", {"id": ORDER, "quantity": "5"}),
    ("cancel", {"id": ORDER}),
    ("cancelAll", {}),
    ("cancelAllAfter", {"seconds": 15}),
]


@pytest.mark.parametrize(("action", "payload"), BY_GRANT)
def test_the_posting_key_signs_what_a_grant_allows(action: str, payload: dict[str, object]) -> None:
    draft = build(action, payload, replace(HERE, posting=True))
    read_by_the_rules(draft)
    _, value = draft.operation("alice")
    assert (value["required_auths"], value["required_posting_auths"]) == ([], ["alice"])


@pytest.mark.parametrize(("action", "payload"), BY_GRANT)
def test_another_account_signs_what_a_grant_allows(action: str, payload: dict[str, object]) -> None:
    draft = build(action, payload | {"for": "alice"}, replace(HERE, signer="alice.bot"))
    assert read_by_the_rules(draft).raw("for") == "alice"
    _, value = draft.operation("alice.bot")
    assert (value["required_auths"], value["required_posting_auths"]) == (["alice.bot"], [])


@pytest.mark.parametrize(
    ("action", "payload", "words"),
    [
        ("buy", LIMIT | TRIGGER, "trigger-price: is not possible under a grant: sign with the account's own"),
        ("sell", LIMIT | PROTECTIVE, "stop-price: is not possible under a grant"),
        ("sell", LIMIT | {"settle": "venue"}, "settle: is not possible under a grant"),
        ("marketBuy", BUDGET, "price: a market order under a grant must have a worst price"),
        ("withdraw", {"symbol": "PEK", "quantity": "all"}, "withdraw: is not possible under a grant"),
        ("grant", GRANT, "grant: is not possible under a grant"),
        ("buy", LIMIT | {"for": "alice"}, "posting: cannot be combined with --for"),
    ],
)
def test_what_no_grant_allows_is_refused(action: str, payload: dict[str, object], words: str) -> None:
    with pytest.raises(IntentError, match=f"^{words}"):
        build(action, payload, replace(HERE, posting=True))


def test_the_account_acted_for_is_another_one() -> None:
    for name in ("alice", "Not An Account"):
        with pytest.raises(IntentError, match=f"^for: '{name}' must be the name of another Hive account"):
            build("buy", LIMIT | {"for": name}, replace(HERE, signer="alice"))


# -- deposits -------------------------------------------------------------------------------------


def test_a_deposit_is_what_its_chain_moves() -> None:
    coins = deposit(HERE, symbol="HIVE", quantity="1.5", memo="hi")
    name, value = coins.operation("alice")
    assert name == "transfer"
    assert value == {"from": "alice", "to": "peakedex.coin", "amount": "1.500 HIVE", "memo": "hi"}
    tokens = json.loads(deposit(HERE, symbol="PEK", quantity="2.5").text())
    assert tokens == {
        "contractName": "tokens",
        "contractAction": "transfer",
        "contractPayload": {"symbol": "PEK", "to": "peakedex.pek", "quantity": "2.5"},
    }


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"symbol": "HBD", "quantity": "all"}, "quantity: 'all' is not possible for a deposit"),
        ({"symbol": "HBD", "quantity": "1", "memo": "x" * 2048}, "memo: must be text of at most 2047 bytes"),
        ({"symbol": "PEK", "quantity": "1", "memo": '"' * 2047 * 2}, "memo: "),
        ({"symbol": "NOPE", "quantity": "1"}, "symbol: 'NOPE' is not listed; the venue lists HBD, HIVE, PEK"),
        ({"symbol": "HBD", "quantity": "0.0001"}, "quantity: 0.0001 has more than the 3 decimals of HBD"),
    ],
)
def test_a_deposit_that_would_not_be_credited_is_refused(more: dict[str, str], words: str) -> None:
    with pytest.raises(IntentError, match=f"^{words}"):
        deposit(HERE, **more)


# -- what the rules would reject ------------------------------------------------------------------

BAD: list[tuple[str, dict[str, object], str]] = [
    ("buy", LIMIT | {"quantity": "1e3"}, "quantity: '1e3' must be a decimal above zero"),
    ("buy", LIMIT | {"quantity": "-1"}, "quantity: '-1' must be a decimal above zero"),
    ("buy", LIMIT | {"quantity": "１"}, "must be a decimal above zero"),
    ("buy", LIMIT | {"quantity": "0.00"}, "quantity: '0.00' must be a decimal above zero"),
    (
        "buy",
        LIMIT | {"quantity": "0.001"},
        "quantity: 0.001 is not a multiple of 0.01, the lot size of PEK/SWAP.HIVE",
    ),
    ("buy", LIMIT | {"quote": "SWAP.BTC", "quantity": "15000"}, "is not a multiple of 10000"),
    ("buy", LIMIT | {"quantity": "99999999999"}, "quantity × price: is more than the venue can hold"),
    ("buy", LIMIT | {"price": "0.0000001"}, "price: 0.0000001 has more than the 6 decimals of PEK/SWAP.HIVE"),
    ("buy", LIMIT | TRIGGER | {"triggerPrice": "0.0000001"}, "trigger-price: 0.0000001 has more than the 6"),
    ("sell", LIMIT | PROTECTIVE | {"stopLimit": "0.0000001"}, "stop-limit: 0.0000001 has more than the 6"),
    ("buy", LIMIT | {"symbol": "pek"}, "symbol: 'pek' must be a symbol in capital letters"),
    ("buy", LIMIT | {"symbol": "NOPE"}, "symbol: 'NOPE' is not traded; the venue trades PEK"),
    ("buy", LIMIT | {"quote": "HIVE"}, "quote: PEK is not traded for 'HIVE', but for SWAP.HIVE, SWAP.BTC"),
    ("buy", LIMIT | {"expiration": 0}, "expiration: 0 must be a number of seconds of at least 1"),
    ("buy", LIMIT | {"maxFeeBps": 1001}, "max-fee-bps: 1001 must be an integer from 0 to 1000"),
    ("buy", LIMIT | {"maxFeeBps": 19}, "max-fee-bps: is below the taker fee of PEK/SWAP.HIVE, which is 20"),
    ("buy", LIMIT | {"notAfter": NOW - 1}, f"not-after: {NOW - 1} is over: choose a later time"),
    ("buy", LIMIT | {"ref": "a b"}, "ref: 'a b' must be 1 to 32"),
    ("buy", LIMIT | {"ref": "-"}, "ref: '-' must be 1 to 32"),
    ("buy", LIMIT | {"triggerPrice": "1"}, "trigger-price: requires --trigger-when"),
    ("buy", LIMIT | {"stopLimit": "1"}, "stop-limit: requires --stop-price"),
    (
        "buy",
        LIMIT | TRIGGER | {"settle": "wallet"},
        "trigger-when: cannot be combined with --settle 'wallet'",
    ),
    ("buy", LIMIT | PROTECTIVE | {"timeInForce": "IOC"}, "cannot be combined with --time-in-force 'IOC'"),
    ("buy", LIMIT | PROTECTIVE | TRIGGER, "cannot be combined with --trigger-"),
    ("marketBuy", BUDGET | TRIGGER, "trigger-price: requires --price"),
    ("marketBuy", BUDGET | {"quantity": "0.000000001"}, "has more than the 8 decimals of SWAP.HIVE"),
    ("marketSell", BUDGET | {"quantity": "0.005"}, "is not a multiple of 0.01"),
    ("cancelAll", {"symbol": "NOPE"}, "symbol: 'NOPE' is not traded; the venue trades PEK"),
    ("cancelAll", {"quote": "NOPE"}, "quote: "),
    ("replace", {"id": ORDER}, "quantity, price, stop-price: at least one of them is required"),
    ("replace", {"id": ORDER, "price": "x"}, "price: 'x' must be a decimal above zero"),
    ("cancelAllAfter", {"seconds": 14}, "seconds: 14 must be 0, or 15 to 86400 seconds"),
    ("withdraw", {"symbol": "HBD", "quantity": "1.2345"}, "more than the 3 decimals of HBD"),
    ("withdraw", {"symbol": "HBD", "quantity": "0.009"}, "quantity: the smallest withdrawal of HBD is 0.010"),
    ("withdraw", {"symbol": "NOPE", "quantity": "1"}, "symbol: 'NOPE' is not listed; the venue lists HBD"),
    ("withdraw", {"symbol": "HBD", "quantity": "1", "to": "NO"}, "to: 'NO' must be a Hive account"),
    (
        "withdraw",
        {"symbol": "HBD", "quantity": "1", "to": "peakedex.pek"},
        "and no escrow account of the venue",
    ),
    ("withdraw", {"symbol": "HBD", "quantity": "1", "memo": ""}, "memo: '' must be 1 to 256"),
    ("withdraw", {"symbol": "HBD", "quantity": "1", "memo": "a\nb"}, "memo: 'a\\nb' must be 1 to 256"),
    ("withdraw", {"symbol": "HBD", "quantity": "1", "memo": "#x"}, "memo: '#x' must be 1 to 256"),
    (
        "withdraw",
        {"symbol": "HBD", "quantity": "1", "memo": " {"},
        "memo: cannot be combined with --symbol 'HBD'",
    ),
    ("grant", GRANT | {"to": "active"}, "to: 'active' must be another Hive account, or the word posting"),
    ("grant", GRANT | {"pairs": []}, "pair: '' must be 1 to 20 different pairs"),
    (
        "grant",
        GRANT | {"pairs": ["PEK/HBD", "PEK/HBD"]},
        "pair: 'PEK/HBD, PEK/HBD' must be 1 to 20 different",
    ),
    ("grant", GRANT | {"pairs": ["PEK"]}, "pair: 'PEK' must be 1 to 20 different pairs, each as BASE/QUOTE"),
    (
        "grant",
        GRANT | {"pairs": ["PEK/NOPE"]},
        "pair: 'PEK/NOPE' is not traded; the venue trades PEK/SWAP.HIVE",
    ),
    ("grant", GRANT | {"perDay": {"PEK": "0"}}, "per-day: 'PEK=0' must be 1 to 20 amounts"),
    ("grant", GRANT | {"perDay": {"NOPE": "1"}}, "per-day: 'NOPE' is not listed"),
    (
        "grant",
        GRANT | {"perDay": {"PEK": "1", "HBD": "0.0001"}},
        "per-day: 0.0001 has more than the 3 decimals",
    ),
    ("grant", GRANT | {"bandBps": 10_001}, "band-bps: 10001 must be an integer from 0 to 10000"),
    ("grant", GRANT | {"until": NOW}, f"until: {NOW} must be after the current time and at most 90 days"),
    ("grant", GRANT | {"until": NOW + 7_776_001}, "must be after the current time and at most 90 days"),
    ("listToken", LISTING | {"symbol": "PEK"}, "symbol: 'PEK' is listed already"),
    (
        "listToken",
        LISTING | {"escrow": "mallory"},
        "escrow: 'mallory' must be an escrow account that the venue",
    ),
    ("listToken", LISTING | {"precision": 9}, "precision: 9 must be 0 to 8, and 3 for HIVE and HBD"),
    ("listToken", LISTING | {"minWithdrawal": "0.000000001"}, "min-withdrawal: 0.000000001 has more than 8"),
    ("listPair", PAIR | {"symbol": "PEK"}, "symbol: PEK/SWAP.HIVE is listed already"),
    ("listPair", PAIR | {"quote": "NOPE"}, "quote: 'NOPE' is not listed"),
    ("listPair", PAIR | {"priceDecimals": 8}, "price-decimals, quantity-decimals: the tokens must differ"),
    ("listPair", PAIR | {"takerFeeBps": 1001}, "taker-fee-bps: 1001 must be an integer from 0 to 1000"),
    ("updatePair", {"symbol": "PEK", "quote": "NOPE"}, "quote: PEK is not traded for 'NOPE'"),
    (
        "updateVenue",
        {"feeAccount": "peakedex.pek"},
        "fee-account: 'peakedex.pek' must be a Hive account name",
    ),
    ("checkpoint", CHECKPOINT | {"stateHash": "F" * 64}, "state-hash: 'FFF"),
    ("upgrade", UPGRADE | {"protocol": 2}, "protocol: 2 must be an integer from 3"),
    (
        "upgrade",
        UPGRADE | {"block": VENUE.start_block + 199_999},
        "or at least 200,000 above the current block",
    ),
]


@pytest.mark.parametrize(("action", "payload", "words"), BAD)
def test_what_would_be_rejected_names_its_field(action: str, payload: dict[str, object], words: str) -> None:
    with pytest.raises(IntentError) as caught:
        build(action, payload, HERE)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"price": "1.0000001"}, "price: 1.0000001 has more than the 6 decimals of PEK/SWAP.HIVE"),
        ({"quantity": "0.001"}, "quantity: 0.001 is not a multiple of 0.01"),
        ({"price": "1", "maxFeeBps": 1}, "max-fee-bps: is below the taker fee"),
    ],
)
def test_a_replace_is_checked_against_the_pair_that_is_named(more: dict[str, object], words: str) -> None:
    assert build("replace", {"id": ORDER, **more}, HERE)
    with pytest.raises(IntentError, match=words):
        build("replace", {"id": ORDER, **more}, HERE, pair="PEK/SWAP.HIVE")
    with pytest.raises(IntentError, match="quote: PEK is not traded for 'NOPE'"):
        build("replace", {"id": ORDER, **more}, HERE, pair="PEK/NOPE")


def test_an_operator_s_action_is_signed_by_the_operator() -> None:
    for signer in ("peakecoin", "peakecoin.proof"):
        assert build("checkpoint", CHECKPOINT, replace(HERE, signer=signer))
    with pytest.raises(IntentError, match=r"^account: checkpoint must be .* peakecoin or peakecoin\.proof"):
        build("checkpoint", CHECKPOINT, replace(HERE, signer="alice"))
    with pytest.raises(IntentError, match=r"^account: upgrade must be signed by the operator, peakecoin$"):
        build("upgrade", UPGRADE, replace(HERE, signer="peakecoin.proof"))


def test_a_signer_that_is_no_account_is_refused() -> None:
    with pytest.raises(IntentError, match="account: 'Not An Account' is not a Hive account"):
        build("buy", LIMIT, HERE).operation("Not An Account")
    with pytest.raises(IntentError, match=r"^account: an escrow account cannot withdraw to itself"):
        build("withdraw", {"symbol": "PEK", "quantity": "all"}, replace(HERE, signer="peakedex.pek"))


def test_a_pair_that_the_operator_paused_takes_no_orders() -> None:
    paused = EXAMPLE.read_text("utf-8").replace('status = "active"', 'status = "paused"', 1)
    there = replace(HERE, venue=parse_venue(paused))
    with pytest.raises(IntentError, match=r"PEK/SWAP\.HIVE is not active and takes no new orders"):
        build("buy", LIMIT, there)
    assert build("cancelAll", {"symbol": "PEK", "quote": "SWAP.HIVE"}, there)


def test_a_market_is_the_same_from_the_file_and_from_the_api() -> None:
    body: dict[str, Any] = {
        **{name: getattr(VENUE, name) for name in VENUE.__dataclass_fields__},
        "tokens": [
            {
                "symbol": token.symbol,
                "precision": token.precision,
                "escrow": token.escrow,
                "min_withdrawal": show_units(token.min_withdrawal, token.precision),
            }
            for token in VENUE.tokens
        ],
        "pairs": [
            {
                "base": pair.base,
                "quote": pair.quote,
                "status": pair.status,
                "price_decimals": pair.price_decimals,
                "quantity_decimals": pair.quantity_decimals,
                "maker_fee_bps": pair.maker_fee_bps,
                "taker_fee_bps": pair.taker_fee_bps,
            }
            for pair in VENUE.pairs
        ],
    }
    assert venue_of_api(body).hash == VENUE.hash
    for bad in ({}, {**body, "tokens": 7}, {**body, "pairs": [{}]}):
        with pytest.raises(IntentError, match="--api: its /api/venue is not that of a Peake DEX"):
            venue_of_api(bad)
