"""What a trader signs: built as the rules read it, and refused before it is signed where they would refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from indexer import intents
from indexer.devnet.venue import EXAMPLE
from indexer.intents import Draft, IntentError, Market
from settlement.core.events import JsonNumber
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.parsing.intents import read_intent
from settlement.core.venue import parse_venue

VENUE = parse_venue(EXAMPLE.read_text("utf-8"))
MARKET = Market.of_venue(VENUE)
ORDER = "0123456789abcdef0123456789abcdef01234567"

Build = Callable[[], Draft]


def limit(**changes: Any) -> Draft:
    side = changes.pop("side", "buy")
    good: dict[str, Any] = {"symbol": "PEK", "quantity": "100", "price": "0.0004"}
    return intents.place_limit(MARKET, side, **good | changes)


def market(side: str = "marketBuy", **changes: Any) -> Draft:
    good: dict[str, Any] = {"symbol": "PEK", "quantity": "1.5"}
    return intents.place_market(MARKET, side, **good | changes)


GOOD: list[Build] = [
    limit,
    lambda: limit(side="sell", quote="SWAP.BTC", quantity="20000", price="0.000000000001"),
    lambda: limit(expiration=60, post_only=True, settle="wallet", ref="mine-1"),
    lambda: limit(time_in_force="IOC", quantity="0.01"),
    lambda: limit(quantity="100.00", price="0.00040000"),
    market,
    lambda: market("marketSell", price="0.0001", quote="PIMP", settle="venue"),
    lambda: intents.cancel(MARKET, f"{ORDER}-3-19", ref="x"),
    lambda: intents.cancel_all(MARKET),
    lambda: intents.cancel_all(MARKET, symbol="PEK", quote="HBD"),
    lambda: intents.replace(MARKET, ORDER, price="0.1"),
    lambda: intents.replace(MARKET, ORDER, quantity="1", price="2", symbol="PEK"),
    lambda: intents.withdraw(MARKET, symbol="HBD", quantity="1.234", to="alice", memo="Grüße, 東京"),
    lambda: intents.withdraw(MARKET, symbol="PEK", quantity="all"),
]


@pytest.mark.parametrize("build", GOOD)
def test_the_rules_read_what_is_built(build: Build) -> None:
    draft = build()
    element = json.loads(draft.text(), parse_int=JsonNumber, parse_float=JsonNumber)
    assert element["contractName"] == "peakedex"
    fields = PayloadReader(element["contractPayload"])
    fields.ref()
    assert read_intent(element["contractAction"], fields) is not None
    assert not fields.invalid
    name, value = draft.operation("alice")
    assert name == "custom_json"
    assert value["required_auths"] == ["alice"]
    assert value["required_posting_auths"] == []
    assert value["id"] == "ssc-mainnet-hive"
    assert value["json"] == draft.text()


def test_a_deposit_is_what_its_chain_moves() -> None:
    coins = intents.deposit(MARKET, symbol="HIVE", quantity="1.5", memo="hi")
    name, value = coins.operation("alice")
    assert name == "transfer"
    assert value == {"from": "alice", "to": "peakedex.coin", "amount": "1.500 HIVE", "memo": "hi"}
    tokens = json.loads(intents.deposit(MARKET, symbol="PEK", quantity="2.5").text())
    assert tokens == {
        "contractName": "tokens",
        "contractAction": "transfer",
        "contractPayload": {"symbol": "PEK", "to": "peakedex.pek", "quantity": "2.5"},
    }


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: limit(quantity="1e3"), "quantity: '1e3' is not a plain decimal"),
        (lambda: limit(quantity="-1"), "quantity: '-1' is not a plain decimal"),
        (lambda: limit(quantity="１"), "is not a plain decimal"),
        (lambda: limit(quantity="0.00"), "quantity: must be more than zero"),
        (
            lambda: limit(quantity="0.001"),
            "quantity: 0.001 is not a multiple of 0.01, the lot of PEK/SWAP.HIVE",
        ),
        (lambda: limit(quantity="0.123456789"), "has more than the 8 decimals of PEK"),
        (lambda: limit(quote="SWAP.BTC", quantity="15000"), "is not a multiple of 10000"),
        (lambda: limit(quantity="99999999999"), "quantity: is more than the venue can hold"),
        (lambda: limit(quantity="90000000000", price="90000"), "quantity × price: is more than"),
        (lambda: limit(price="0.0000001"), "price: 0.0000001 has more than the 6 decimals of PEK/SWAP.HIVE"),
        (lambda: limit(symbol="pek"), "symbol: 'pek' is not a symbol"),
        (lambda: limit(symbol="NOPE"), "symbol: 'NOPE' is not traded; the venue trades PEK"),
        (lambda: limit(quote="HIVE"), "quote: PEK is not traded for 'HIVE'; it is for SWAP.HIVE, SWAP.BTC"),
        (lambda: limit(expiration=0), "expiration: must be 1 to 2592000 seconds"),
        (lambda: limit(expiration=2592001), "expiration: must be 1 to 2592000"),
        (lambda: limit(post_only=True, time_in_force="FOK"), "post-only: an order that only rests"),
        (lambda: limit(ref="a b"), "ref: must be 1 to 32"),
        (lambda: market(quantity="0.000000001"), "has more than the 8 decimals of SWAP.HIVE"),
        (lambda: market("marketSell", quantity="0.005"), "is not a multiple of 0.01"),
        (lambda: intents.cancel(MARKET, "abc"), "id: 'abc' is not an order's id"),
        (
            lambda: intents.cancel_all(MARKET, symbol="NOPE"),
            "symbol: 'NOPE' is not listed; the venue has HBD",
        ),
        (lambda: intents.replace(MARKET, ORDER), "quantity, price: name what is to change"),
        (lambda: intents.replace(MARKET, ORDER, price="x"), "price: 'x' is not a plain decimal"),
        (lambda: intents.replace(MARKET, ORDER, price="1.0000001", symbol="PEK"), "6 decimals"),
        (
            lambda: intents.withdraw(MARKET, symbol="HBD", quantity="1.2345"),
            "more than the 3 decimals of HBD",
        ),
        (
            lambda: intents.withdraw(MARKET, symbol="HBD", quantity="1", to="NO"),
            "to: 'NO' is not a Hive account",
        ),
        (
            lambda: intents.withdraw(MARKET, symbol="HBD", quantity="1", to="peakedex.pek"),
            "is an escrow account",
        ),
        (lambda: intents.withdraw(MARKET, symbol="HBD", quantity="1", memo=""), "memo: must be 1 to 256"),
        (lambda: intents.withdraw(MARKET, symbol="HBD", quantity="1", memo="a\nb"), "memo: must be 1 to 256"),
        (lambda: intents.deposit(MARKET, symbol="HBD", quantity="all"), "is not a plain decimal"),
        (lambda: intents.deposit(MARKET, symbol="HBD", quantity="1", memo="x" * 2048), "at most 2047 bytes"),
        (lambda: intents.deposit(MARKET, symbol="PEK", quantity="1", memo='"' * 2047 * 2), "memo: "),
        (lambda: limit().operation("Not An Account"), "account: 'Not An Account' is not a Hive account"),
    ],
)
def test_what_would_be_refused_is_refused_here(build: Build, words: str) -> None:
    with pytest.raises(IntentError) as caught:
        build()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pair_that_the_operator_paused_takes_no_orders() -> None:
    paused = EXAMPLE.read_text("utf-8").replace('status = "active"', 'status = "paused"', 1)
    market = Market.of_venue(parse_venue(paused))
    with pytest.raises(IntentError, match=r"PEK/SWAP\.HIVE is paused and takes no new orders"):
        intents.place_limit(market, "buy", symbol="PEK", quantity="1", price="1")


def test_a_market_is_the_same_from_the_file_and_from_the_api() -> None:
    body = {
        "contract": VENUE.contract,
        "custom_json_id": VENUE.custom_json_id,
        "order_lifetime": VENUE.order_lifetime,
        "tokens": [
            {"symbol": t.symbol, "precision": t.precision, "chain": t.chain, "escrow": t.escrow}
            for t in VENUE.tokens
        ],
        "pairs": [
            {
                "base": p.base,
                "quote": p.quote,
                "status": p.status,
                "price_decimals": p.price_decimals,
                "quantity_decimals": p.quantity_decimals,
            }
            for p in VENUE.pairs
        ],
    }
    read = Market.of_api(body)
    assert read.tokens.keys() == MARKET.tokens.keys()
    for bad in ({}, {**body, "tokens": 7}, {**body, "pairs": [{}]}):
        with pytest.raises(IntentError, match="--api: its /api/venue is not that of a Peake DEX"):
            Market.of_api(bad)
    assert intents.place_limit(read, "buy", symbol="PEK", quantity="1", price="1") == intents.place_limit(
        MARKET, "buy", symbol="PEK", quantity="1", price="1"
    )
