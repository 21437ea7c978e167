"""js/wallet/intents.js: the sentence describes what is signed, the rules accept it, and limits hold before signing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page

from indexer.intents.drafts import Draft, venue_of_api
from indexer.intents.drafts import build as build_ours
from indexer.intents.sandbox import Situation
from settlement.core.parsing.amounts import MAX_UNITS
from tests.browser.venue import venue
from tests.unit.core.test_names import ACCOUNTS, NOT_ACCOUNTS

ORDER = {"side": "buy", "base": "PEK", "quote": "SWAP.HIVE", "lots": 100_000, "ticks": 12_345}
NOW = 1_790_000_000
ROW = {
    "id": "a" * 40,
    "base": "PEK",
    "quote": "SWAP.HIVE",
    "side": "sell",
    "price": "0.012000",
    "quantity": "1000.00",
    "remaining": "600.00",
}
BIG = ("lots", "ticks", "budget", "units", "worst", "stopTicks", "limitTicks")


def build(page: Page, name: str, *arguments: Any, **changes: Any) -> dict[str, Any]:
    """A draft for alice, or `{"field", "problem"}`. Fields of BIG are passed as BigInt."""
    script = """async ([name, venue, list, big]) => {
      const module = await import("/js/wallet/intents.js");
      const part = ([key, value]) =>
        [key, big.includes(key) && value !== null ? BigInt(value) : typeof value === "object" ? whole(value) : value];
      const whole = (one) => one && Object.fromEntries(Object.entries(one).map(part));
      try {
        return module[name](venue, "alice", ...list.map(whole));
      } catch (error) {
        return { field: error.field, problem: error.message };
      }
    }"""

    def as_text(one: dict[str, Any]) -> dict[str, Any]:
        return {
            key: as_text(value)
            if isinstance(value, dict)
            else str(value)
            if key in BIG and value is not None
            else value
            for key, value in one.items()
        }

    texts = [as_text(one) for one in arguments]
    draft: dict[str, Any] = page.evaluate(script, [name, venue(**changes), texts, BIG])
    return draft


def payload(draft: dict[str, Any]) -> dict[str, Any]:
    """The payload of a draft with a single action."""
    element = json.loads(draft["json"])
    assert element["contractName"] == "peakedex"
    assert element["contractAction"] == draft["action"]
    assert element["contractPayload"].pop("ref") == draft["ref"]
    assert re.fullmatch("[A-Za-z0-9_.-]{1,32}", draft["ref"])
    body: dict[str, Any] = element["contractPayload"]
    return body


def ours(action: str, body: dict[str, Any]) -> Draft:
    """The same action by the command line, which asks the rules whether they accept it."""
    return build_ours(action, body, Situation(venue_of_api(venue()), NOW))


def test_a_limit_order_matches_its_sentence(modules: Page) -> None:
    draft = build(modules, "limitOrder", ORDER)
    assert draft["message"] == (
        "Peake DEX: BUY 1,000.00 PEK at 0.012345 SWAP.HIVE, total 12.345 SWAP.HIVE, expires in 30 days"
    )
    assert (draft["kind"], draft["id"], draft["account"]) == ("custom_json", "ssc-mainnet-hive", "alice")
    assert payload(draft) == {
        "symbol": "PEK",
        "quote": "SWAP.HIVE",
        "quantity": "1000.00",
        "price": "0.012345",
        "maxFeeBps": 20,
    }
    assert ours("buy", payload(draft)).body["contractPayload"] == payload(draft)


def test_options_of_a_limit_order(modules: Page) -> None:
    timed = build(modules, "limitOrder", {**ORDER, "side": "sell", "expiration": 3600, "postOnly": True})
    assert timed["message"].startswith("Peake DEX: SELL 1,000.00 PEK at 0.012345 SWAP.HIVE")
    assert timed["message"].endswith("total 12.345 SWAP.HIVE, post-only, expires in 1 hour")
    assert (payload(timed)["expiration"], payload(timed)["postOnly"]) == (3600, True)
    whole = build(modules, "limitOrder", {**ORDER, "timeInForce": "FOK", "settle": "wallet"})
    assert whole["message"].endswith("fill-or-kill, proceeds paid out to the wallet")
    assert (payload(whole)["timeInForce"], payload(whole)["settle"]) == ("FOK", "wallet")


def test_market_orders(modules: Page) -> None:
    pair = {"base": "PEK", "quote": "SWAP.HIVE"}
    buy = build(modules, "marketOrder", {**pair, "side": "buy", "budget": 1_250_000_000, "worst": 12_500})
    assert buy["message"] == "Peake DEX: MARKET BUY PEK for 12.5 SWAP.HIVE, worst price 0.012500 SWAP.HIVE"
    assert payload(buy) == {
        "symbol": "PEK",
        "quote": "SWAP.HIVE",
        "quantity": "12.50000000",
        "price": "0.012500",
        "maxFeeBps": 20,
    }
    sell = build(modules, "marketOrder", {**pair, "side": "sell", "lots": 1, "worst": None})
    assert sell["message"] == "Peake DEX: MARKET SELL 0.01 PEK for SWAP.HIVE, no price limit"
    assert payload(sell) == {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "0.01", "maxFeeBps": 20}
    ours("marketBuy", payload(buy))
    ours("marketSell", payload(sell))


def test_cancel_and_replace(modules: Page) -> None:
    cancelled = build(modules, "cancel", ROW)
    assert cancelled["message"] == (
        "Peake DEX: CANCEL order “Sell 1,000 PEK at 0.012000 SWAP.HIVE” (600 remaining)"
    )
    assert payload(cancelled) == {"id": "a" * 40}
    changed = build(modules, "replace", ROW, {"ticks": 13_000})
    assert changed["message"] == (
        "Peake DEX: REPLACE order “Sell 1,000 PEK at 0.012000 SWAP.HIVE” with "
        "“Sell 600 PEK at 0.013000 SWAP.HIVE”"
    )
    assert payload(changed) == {"id": "a" * 40, "price": "0.013000", "maxFeeBps": 20}
    assert build(modules, "replace", ROW, {})["field"] == "price"
    assert build(modules, "cancel", {**ROW, "id": "nope"})["field"] == "order"
    assert payload(build(modules, "cancelAll", {})) == {}
    counted = build(modules, "cancelAll", {"count": 7})
    assert counted["message"] == "Peake DEX: CANCEL ALL open orders and stops: 7 at the moment"
    assert (counted["title"], payload(counted)) == ("Cancel all 7 orders", {})
    everything = build(modules, "cancelAll", {"base": "PEK", "quote": "SWAP.HIVE"})
    assert everything["message"] == "Peake DEX: CANCEL ALL open orders and stops of PEK/SWAP.HIVE"
    assert payload(everything) == {"symbol": "PEK", "quote": "SWAP.HIVE"}


def test_a_stop_becomes_an_order_when_the_mark_reaches_its_trigger(modules: Page) -> None:
    trigger = {"ticks": 12_000, "when": "below"}
    limit = build(modules, "limitOrder", {**ORDER, "side": "sell", "trigger": trigger, "expiration": 3600})
    assert limit["message"] == (
        "Peake DEX: WHEN THE MARK FALLS TO 0.012000 SWAP.HIVE: SELL 1,000.00 PEK at 0.012345 SWAP.HIVE, "
        "total 12.345 SWAP.HIVE, expires in 1 hour"
    )
    assert limit["title"] == "Sell 1,000.00 PEK at 0.012345, once the mark is ≤ 0.012000"
    assert payload(limit) == {
        "symbol": "PEK",
        "quote": "SWAP.HIVE",
        "quantity": "1000.00",
        "price": "0.012345",
        "maxFeeBps": 20,
        "expiration": 3600,
        "triggerPrice": "0.012000",
        "triggerWhen": "below",
    }
    ours("sell", payload(limit))
    whole = build(modules, "limitOrder", {**ORDER, "trigger": trigger, "timeInForce": "FOK"})
    assert whole["message"].endswith("fill-or-kill, expires in 30 days")
    buy = {"side": "buy", "base": "PEK", "quote": "SWAP.HIVE", "budget": 10**9, "worst": 12_500}
    rising = {"ticks": 12_400, "when": "above"}
    market = build(modules, "marketOrder", {**buy, "trigger": rising, "expiration": 86_400})
    assert market["message"] == (
        "Peake DEX: WHEN THE MARK RISES TO 0.012400 SWAP.HIVE: MARKET BUY PEK for 10 SWAP.HIVE, "
        "worst price 0.012500 SWAP.HIVE, expires in 1 day"
    )
    assert payload(market)["expiration"] == 86_400
    ours("marketBuy", payload(market))
    for name, order, problem in [
        ("limitOrder", {**ORDER, "settle": "wallet"}, "deposit first"),
        ("marketOrder", {**buy, "worst": None}, "needs a worst price"),
        ("limitOrder", {**ORDER, "protect": {"stopTicks": 1, "limitTicks": 1}}, "needs a limit order"),
    ]:
        assert problem in build(modules, name, {**order, "trigger": trigger})["problem"]


def test_a_protective_stop_is_part_of_the_order(modules: Page) -> None:
    protect = {"stopTicks": 12_000, "limitTicks": 11_900}
    sell = build(modules, "limitOrder", {**ORDER, "side": "sell", "protect": protect})
    assert sell["message"].endswith(
        "expires in 30 days. STOP LOSS: when the mark falls to 0.012000 SWAP.HIVE, it is cancelled and the rest "
        "is sold at market, worst price 0.011900 SWAP.HIVE"
    )
    assert (payload(sell)["stopPrice"], payload(sell)["stopLimit"]) == ("0.012000", "0.011900")
    ours("sell", payload(sell))
    buy = build(modules, "limitOrder", {**ORDER, "protect": protect})
    assert buy == {"field": "stopLimit", "problem": "The worst price must not be below the stop price."}
    for conflict in ({"settle": "wallet"}, {"timeInForce": "IOC"}):
        found = build(modules, "limitOrder", {**ORDER, "side": "sell", "protect": protect, **conflict})
        assert "needs a limit order that stays open" in found["problem"]


def test_a_replace_adds_or_changes_a_protective_stop(modules: Page) -> None:
    protect = {"stopTicks": 11_000, "limitTicks": 10_900}
    added = build(modules, "replace", ROW, {"protect": protect})
    assert payload(added) == {
        "id": "a" * 40,
        "maxFeeBps": 20,
        "stopPrice": "0.011000",
        "stopLimit": "0.010900",
    }
    assert added["message"].endswith(
        "with “Sell 600 PEK at 0.012000 SWAP.HIVE, stop 0.011000, worst price 0.010900”"
    )
    held = {**ROW, "stop_price": "0.011000", "stop_limit": "0.010900"}
    kept = build(modules, "replace", held, {"ticks": 13_000})
    assert "stopPrice" not in payload(kept)
    assert kept["message"].endswith(
        "with “Sell 600 PEK at 0.013000 SWAP.HIVE, stop 0.011000, worst price 0.010900”"
    )
    wallet = build(modules, "replace", {**ROW, "settle": "wallet"}, {"protect": protect})
    assert wallet["field"] == "stop"
    huge = build(modules, "replace", ROW, {"ticks": MAX_UNITS})
    assert huge == {"field": "total", "problem": "Exceeds the maximum amount."}


def test_a_stop_is_cancelled_by_its_condition(modules: Page) -> None:
    stop = {**ROW, "trigger_price": "0.011000", "trigger_when": "below", "quantity_symbol": "PEK"}
    assert build(modules, "cancel", stop)["title"] == (
        "Cancel order: Sell 1,000 PEK at 0.012000 SWAP.HIVE, once the mark is ≤ 0.011000 SWAP.HIVE"
    )
    budget = {**stop, "side": "buy", "price": None, "quantity_symbol": "SWAP.HIVE", "trigger_when": "above"}
    assert build(modules, "cancel", budget)["title"] == (
        "Cancel order: Buy 1,000 SWAP.HIVE at market, once the mark is ≥ 0.011000 SWAP.HIVE"
    )


def test_a_withdrawal_is_cancelled_with_its_hour(modules: Page) -> None:
    row = {"id": "b" * 40, "symbol": "HBD", "amount": "1.500", "to": "bob"}
    draft = build(modules, "cancelWithdrawal", row)
    assert draft["message"] == (
        "Peake DEX: CANCEL the withdrawal of 1.5 HBD to @bob: available again in one hour, "
        "unless it is paid before"
    )
    assert payload(draft) == {"id": "b" * 40}
    settled = build(modules, "cancelWithdrawal", {**row, "id": f"{'b' * 40}-1-2#SWAP.HIVE"})
    assert payload(settled) == {"id": f"{'b' * 40}-1-2#SWAP.HIVE"}
    assert build(modules, "cancelWithdrawal", {**row, "id": "b" * 40 + "#"})["field"] == "order"


def test_a_withdrawal_below_the_minimum_is_not_built(modules: Page) -> None:
    tokens = [{**token, "min_withdrawal": "1.000"} for token in venue()["tokens"] if token["symbol"] == "HBD"]
    below = build(modules, "withdraw", {"symbol": "HBD", "units": 999}, tokens=tokens)
    assert below == {"field": "quantity", "problem": "The minimum withdrawal is 1 HBD."}
    assert "json" in build(modules, "withdraw", {"symbol": "HBD", "units": 1000}, tokens=tokens)
    assert "json" in build(modules, "withdraw", {"symbol": "HBD", "all": True}, tokens=tokens)


def test_a_deadline_is_that_of_the_venue_s_actions(modules: Page) -> None:
    draft = build(modules, "oneSignature", ORDER)
    dated = modules.evaluate(
        """async (draft) => {
          const { withDeadline, deadlineOf } = await import("/js/wallet/intents.js");
          const dated = withDeadline(draft, 1790000900);
          return { json: JSON.parse(dated.json), before: deadlineOf(draft), after: deadlineOf(dated) };
        }""",
        draft,
    )
    assert (dated["before"], dated["after"]) == (None, 1_790_000_900)
    deposit, order = (element["contractPayload"] for element in dated["json"])
    assert "notAfter" not in deposit
    assert order["notAfter"] == 1_790_000_900
    coin = build(modules, "deposit", {"symbol": "HIVE", "units": 1})
    same = modules.evaluate(
        "async (draft) => (await import('/js/wallet/intents.js')).withDeadline(draft, 1)", coin
    )
    assert same == coin


def test_withdrawals_and_deposits(modules: Page) -> None:
    out = build(modules, "withdraw", {"symbol": "HBD", "units": 1500, "to": "bob", "memo": "café “é”"})
    assert out["message"] == "Peake DEX: WITHDRAW 1.5 HBD to @bob with the memo “café “é””"
    assert payload(out) == {"symbol": "HBD", "quantity": "1.500", "to": "bob", "memo": "café “é”"}
    everything = build(modules, "withdraw", {"symbol": "PEK", "all": True, "to": "alice"})
    assert everything["message"] == "Peake DEX: WITHDRAW all PEK to @alice"
    assert payload(everything) == {"symbol": "PEK", "quantity": "all"}
    token = build(modules, "deposit", {"symbol": "PEK", "units": 123_456_789_12345671})
    assert (
        token["message"] == "Peake DEX: DEPOSIT 123,456,789.12345671 PEK to the escrow account @peakedex.pek"
    )
    assert json.loads(token["json"]) == {
        "contractName": "tokens",
        "contractAction": "transfer",
        "contractPayload": {"symbol": "PEK", "to": "peakedex.pek", "quantity": "123456789.12345671"},
    }
    coin = build(modules, "deposit", {"symbol": "HIVE", "units": 1})
    assert {key: coin[key] for key in ("kind", "to", "amount", "symbol", "memo")} == {
        "kind": "transfer",
        "to": "peakedex.coin",
        "amount": "0.001",
        "symbol": "HIVE",
        "memo": "",
    }


def test_one_signature_deposits_trades_and_pays_out(modules: Page) -> None:
    draft = build(modules, "oneSignature", {**ORDER, "timeInForce": "IOC"})
    first, second = json.loads(draft["json"])
    assert first["contractName"] == "tokens"
    assert first["contractPayload"] == {
        "symbol": "SWAP.HIVE",
        "to": "peakedex.hive",
        "quantity": "12.34500000",
    }
    assert (second["contractName"], second["contractAction"]) == ("peakedex", "buy")
    assert second["contractPayload"]["settle"] == "wallet"
    assert draft["message"].startswith(
        "Peake DEX: DEPOSIT 12.345 SWAP.HIVE to the escrow account @peakedex.hive, and BUY"
    )
    sell = build(modules, "oneSignature", {**ORDER, "side": "sell", "market": True, "worst": 1})
    assert json.loads(sell["json"])[0]["contractPayload"]["quantity"] == "1000.00000000"
    coin = build(modules, "oneSignature", {**ORDER, "quote": "HBD"})
    assert coin["problem"] == "HBD is a native Hive coin: deposit it first, then trade."


@pytest.mark.parametrize(
    ("lots", "ticks", "quantity", "price"),
    [
        (1, 1, "1", "1"),
        (MAX_UNITS, 1, str(MAX_UNITS), "1"),
        (92_233_720_368, 10**8 - 1, "92233720368", "99999999"),
    ],
)
def test_extreme_amounts_are_signed_exactly(
    modules: Page, lots: int, ticks: int, quantity: str, price: str
) -> None:
    order = {"side": "buy", "base": "BIG", "quote": "BIG", "lots": lots, "ticks": ticks}
    pair = {**venue()["pairs"][1], "base": "BIG", "quote": "BIG"}
    draft = build(modules, "limitOrder", order, pairs=[pair])
    assert (payload(draft)["quantity"], payload(draft)["price"]) == (quantity, price)
    assert f"{lots:,} BIG at {ticks:,} BIG, total {lots * ticks:,} BIG" in draft["message"]


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"lots": 0}, "quantity", "Must be greater than 0."),
        ({"ticks": 0}, "price", "Must be greater than 0."),
        ({"lots": MAX_UNITS}, "quantity", "Exceeds the maximum amount."),
        ({"ticks": MAX_UNITS}, "total", "Exceeds the maximum amount."),
        ({"expiration": 0}, "expiration", "Must be between 1 second and 30 days."),
        ({"expiration": 2_592_001}, "expiration", "Must be between 1 second and 30 days."),
        ({"quote": "NOPE"}, "pair", "PEK/NOPE is not listed."),
        (
            {"base": "BIG", "quote": "HBD"},
            "pair",
            "BIG/HBD is paused: no new orders. Open orders can be cancelled.",
        ),
        (
            {"postOnly": True, "timeInForce": "IOC"},
            "postOnly",
            "Post-only cannot be combined with IOC or FOK.",
        ),
    ],
)
def test_invalid_orders_are_not_built(
    modules: Page, change: dict[str, Any], field: str, problem: str
) -> None:
    assert build(modules, "limitOrder", {**ORDER, **change}) == {"field": field, "problem": problem}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"units": 0}, "quantity"),
        ({"symbol": "NOPE"}, "symbol"),
        ({"to": "peakedex.hbd"}, "to"),
        ({"to": "x"}, "to"),
        ({"memo": "x" * 257}, "memo"),
        ({"memo": "line\nbreak"}, "memo"),
        ({"memo": "\u007f"}, "memo"),
        ({"memo": "#secret"}, "memo"),
        ({"memo": "peakedex:1"}, "memo"),
        ({"symbol": "HBD", "memo": "{"}, "memo"),
        ({"symbol": "HBD", "memo": "  ["}, "memo"),
    ],
)
def test_invalid_withdrawals_are_not_built(modules: Page, change: dict[str, Any], field: str) -> None:
    assert build(modules, "withdraw", {"symbol": "PEK", "units": 1, **change})["field"] == field


def test_memos_that_the_rules_accept_are_built(modules: Page) -> None:
    """Only coins' memos could be run by the sidechain, and only what begins with # is encrypted."""
    for symbol, memo in (("PEK", "{x"), ("HBD", "a{"), ("PEK", "x#"), ("PEK", " #"), ("HBD", "x" * 256)):
        draft = build(modules, "withdraw", {"symbol": symbol, "units": 100, "memo": memo})
        assert payload(draft)["memo"] == memo
        ours("withdraw", payload(draft))


def test_account_names_follow_the_same_rule_as_the_exchange(modules: Page) -> None:
    names = [name for name in (*ACCOUNTS, *NOT_ACCOUNTS) if isinstance(name, str)]
    valid = modules.evaluate(
        "async (names) => { const { isAccount } = await import('/js/lib/account-name.js'); return names.filter(isAccount); }",
        names,
    )
    assert valid == ACCOUNTS
    draft = build(modules, "withdraw", {"symbol": "PEK", "units": 1, "to": "my--name"})
    assert payload(draft)["to"] == "my--name"


def test_a_lone_surrogate_in_a_memo_is_refused(modules: Page) -> None:
    found = modules.evaluate(
        """async (venue) => {
          const { withdraw } = await import("/js/wallet/intents.js");
          try { withdraw(venue, "alice", { symbol: "PEK", units: 1n, memo: "x\\ud800" }); } catch (error) { return error.field; }
        }""",
        venue(),
    )
    assert found == "memo"


def test_refs_are_unique(modules: Page) -> None:
    refs = modules.evaluate(
        "async () => { const { newRef } = await import('/js/wallet/intents.js'); return Array.from({ length: 500 }, newRef); }"
    )
    assert len(set(refs)) == 500
