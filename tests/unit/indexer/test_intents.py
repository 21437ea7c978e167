"""Building of intents: the rules accept what is built, and what they would reject is an error before signing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from indexer import intents
from indexer.devnet.venue import EXAMPLE
from indexer.intents import Draft, IntentError, venue_of_api
from settlement.core.events import JsonNumber
from settlement.core.parsing.intents import read_intent
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.venue import parse_venue

VENUE = parse_venue(EXAMPLE.read_text("utf-8"))
ORDER = "0123456789abcdef0123456789abcdef01234567"

Build = Callable[[], Draft]


def limit(**changes: Any) -> Draft:
    side = changes.pop("side", "buy")
    good: dict[str, Any] = {"symbol": "PEK", "quantity": "100", "price": "0.0004"}
    return intents.place_limit(VENUE, side, **good | changes)


def market(side: str = "marketBuy", **changes: Any) -> Draft:
    good: dict[str, Any] = {"symbol": "PEK", "quantity": "1.5"}
    return intents.place_market(VENUE, side, **good | changes)


GOOD: list[Build] = [
    limit,
    lambda: limit(side="sell", quote="SWAP.BTC", quantity="20000", price="0.000000000001"),
    lambda: limit(expiration=60, post_only=True, settle="wallet", ref="mine-1"),
    lambda: limit(time_in_force="IOC", quantity="0.01"),
    lambda: limit(quantity="100.00", price="0.00040000"),
    market,
    lambda: market("marketSell", price="0.0001", quote="PIMP", settle="venue"),
    lambda: intents.cancel(VENUE, f"{ORDER}-3-19", ref="x"),
    lambda: intents.cancel_all(VENUE),
    lambda: intents.cancel_all(VENUE, symbol="PEK", quote="HBD"),
    lambda: intents.replace(VENUE, ORDER, price="0.1"),
    lambda: intents.replace(VENUE, ORDER, quantity="1", price="2", symbol="PEK"),
    lambda: intents.withdraw(VENUE, symbol="HBD", quantity="1.234", to="alice", memo="Grüße, 東京"),
    lambda: intents.withdraw(VENUE, symbol="PEK", quantity="all"),
]


@pytest.mark.parametrize("build", GOOD)
def test_the_rules_read_what_is_built(build: Build) -> None:
    draft = build()
    element = json.loads(draft.text(), parse_int=JsonNumber, parse_float=JsonNumber)
    assert element["contractName"] == "peakedex"
    reader = PayloadReader(element["contractPayload"])
    reader.ref()
    assert read_intent(element["contractAction"], reader) is not None
    assert not reader.invalid
    name, value = draft.operation("alice")
    assert name == "custom_json"
    assert value["required_auths"] == ["alice"]
    assert value["required_posting_auths"] == []
    assert value["id"] == "ssc-mainnet-hive"
    assert value["json"] == draft.text()


def test_a_deposit_is_what_its_chain_moves() -> None:
    coins = intents.deposit(VENUE, symbol="HIVE", quantity="1.5", memo="hi")
    name, value = coins.operation("alice")
    assert name == "transfer"
    assert value == {"from": "alice", "to": "peakedex.coin", "amount": "1.500 HIVE", "memo": "hi"}
    tokens = json.loads(intents.deposit(VENUE, symbol="PEK", quantity="2.5").text())
    assert tokens == {
        "contractName": "tokens",
        "contractAction": "transfer",
        "contractPayload": {"symbol": "PEK", "to": "peakedex.pek", "quantity": "2.5"},
    }


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: limit(quantity="1e3"), "quantity: '1e3' must be a decimal above zero"),
        (lambda: limit(quantity="-1"), "quantity: '-1' must be a decimal above zero"),
        (lambda: limit(quantity="１"), "must be a decimal above zero"),
        (lambda: limit(quantity="0.00"), "quantity: '0.00' must be a decimal above zero"),
        (
            lambda: limit(quantity="0.001"),
            "quantity: 0.001 is not a multiple of 0.01, the lot size of PEK/SWAP.HIVE",
        ),
        (lambda: limit(quantity="0.123456789"), "quantity: 0.123456789 is not a multiple of 0.01"),
        (lambda: limit(quote="SWAP.BTC", quantity="15000"), "is not a multiple of 10000"),
        (lambda: limit(quantity="99999999999"), "quantity × price: is more than the venue can hold"),
        (lambda: limit(quantity="90000000000", price="90000"), "quantity × price: is more than"),
        (lambda: limit(price="0.0000001"), "price: 0.0000001 has more than the 6 decimals of PEK/SWAP.HIVE"),
        (lambda: limit(symbol="pek"), "symbol: 'pek' must be a symbol in capital letters"),
        (lambda: limit(symbol="NOPE"), "symbol: 'NOPE' is not traded; the venue trades PEK"),
        (lambda: limit(quote="HIVE"), "quote: PEK is not traded for 'HIVE', but for SWAP.HIVE, SWAP.BTC"),
        (lambda: limit(expiration=0), "expiration: 0 must be a number of seconds of at least 1"),
        (lambda: limit(post_only=True, time_in_force="FOK"), "post-only: cannot be combined with IOC or FOK"),
        (lambda: limit(ref="a b"), "ref: 'a b' must be 1 to 32"),
        (lambda: market(quantity="0.000000001"), "has more than the 8 decimals of SWAP.HIVE"),
        (lambda: market("marketSell", quantity="0.005"), "is not a multiple of 0.01"),
        (lambda: intents.cancel(VENUE, "abc"), "id: 'abc' is not an order id"),
        (
            lambda: intents.cancel_all(VENUE, symbol="NOPE"),
            "symbol: 'NOPE' is not traded; the venue trades PEK",
        ),
        (lambda: intents.replace(VENUE, ORDER), "quantity, price: at least one of them is required"),
        (lambda: intents.replace(VENUE, ORDER, price="x"), "price: 'x' must be a decimal above zero"),
        (lambda: intents.replace(VENUE, ORDER, price="1.0000001", symbol="PEK"), "6 decimals"),
        (
            lambda: intents.withdraw(VENUE, symbol="HBD", quantity="1.2345"),
            "more than the 3 decimals of HBD",
        ),
        (
            lambda: intents.withdraw(VENUE, symbol="HBD", quantity="1", to="NO"),
            "to: 'NO' must be a Hive account",
        ),
        (
            lambda: intents.withdraw(VENUE, symbol="HBD", quantity="1", to="peakedex.pek"),
            "is an escrow account",
        ),
        (lambda: intents.withdraw(VENUE, symbol="HBD", quantity="1", memo=""), "memo: '' must be 1 to 256"),
        (
            lambda: intents.withdraw(VENUE, symbol="HBD", quantity="1", memo="a\nb"),
            "memo: 'a\\nb' must be 1 to 256",
        ),
        (lambda: intents.deposit(VENUE, symbol="HBD", quantity="all"), "must be a decimal above zero"),
        (lambda: intents.deposit(VENUE, symbol="HBD", quantity="1", memo="x" * 2048), "at most 2047 bytes"),
        (lambda: intents.deposit(VENUE, symbol="PEK", quantity="1", memo='"' * 2047 * 2), "memo: "),
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
    market = parse_venue(paused)
    with pytest.raises(IntentError, match=r"PEK/SWAP\.HIVE is not active and takes no new orders"):
        intents.place_limit(market, "buy", symbol="PEK", quantity="1", price="1")


def test_a_market_is_the_same_from_the_file_and_from_the_api() -> None:
    body = {
        **{name: getattr(VENUE, name) for name in VENUE.__dataclass_fields__},
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
    read = venue_of_api(body)
    assert [token.symbol for token in read.tokens] == [token.symbol for token in VENUE.tokens]
    for bad in ({}, {**body, "tokens": 7}, {**body, "pairs": [{}]}):
        with pytest.raises(IntentError, match="--api: its /api/venue is not that of a Peake DEX"):
            venue_of_api(bad)
    assert intents.place_limit(read, "buy", symbol="PEK", quantity="1", price="1") == intents.place_limit(
        VENUE, "buy", symbol="PEK", quantity="1", price="1"
    )
