"""beem and dhive trade on the devnet, and the API shows the results."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.clients import traders
from tests.system.clients.exchange import Exchange, available
from tests.system.clients.traders import BeemTrader, DhiveTrader, Trader

TRADERS: dict[str, Callable[[Exchange, str], Trader]] = {"beem": BeemTrader, "dhive": DhiveTrader}


def intent(action: str, **payload: object) -> dict[str, object]:
    return {"contractName": "peakedex", "contractAction": action, "contractPayload": payload}


def deposit_of(symbol: str, to: str, quantity: str) -> dict[str, object]:
    payload = {"symbol": symbol, "to": to, "quantity": quantity}
    return {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}


@pytest.fixture(params=list(TRADERS))
def trader(exchange: Exchange, request: pytest.FixtureRequest) -> Trader:
    name = f"{request.param}-user"
    exchange.rich(name)
    return TRADERS[request.param](exchange, name)


def test_a_client_deposits_orders_cancels_and_withdraws(exchange: Exchange, trader: Trader) -> None:
    user = trader.account
    # Deposits: a native coin, and a token of the sidechain.
    trader.transfer("peakedex.hbd", "20.500", "HBD")
    trader.custom_json(deposit_of("PEK", "peakedex.pek", "30000.5"))
    exchange.wait_for_balance(user, "HBD", "20.500")
    exchange.wait_for_balance(user, "PEK", "30000.50000000")

    # Orders: one that rests, one that is rejected.
    sell = intent("sell", symbol="PEK", quote="SWAP.HIVE", quantity="100", price="0.9", ref=f"{user}.1")
    resting = trader.custom_json(sell)
    accepted = exchange.intent(resting)
    assert (accepted["status"], accepted["user"], accepted["order"]) == ("accepted", user, resting)
    [order] = exchange.get(f"/api/orders?user={user}&status=open")["orders"]
    assert (order["id"], order["price"], order["remaining"]) == (resting, "0.900000", "100.00000000")
    assert order["ref"] == f"{user}.1"
    refused = trader.custom_json(intent("sell", symbol="PEK", quote="HBD", quantity="90000", price="1"))
    assert exchange.intent(refused)["code"] == "E_FUNDS"

    # Cancel.
    assert exchange.intent(trader.custom_json(intent("cancel", id=resting)))["status"] == "accepted"
    exchange.wait(f"/api/orders/{resting}", lambda body: body["order"]["status"] == "cancelled")
    exchange.wait_for_balance(user, "PEK", "30000.50000000")

    # Withdrawals of the coin and the token.
    had = exchange.node.sidechain.balance(user, "PEK"), exchange.node.chain.accounts.balance(user, "HBD")
    coins = trader.custom_json(intent("withdraw", symbol="HBD", quantity="0.5"))
    tokens = trader.custom_json(intent("withdraw", symbol="PEK", quantity="all", memo="home"))
    assert exchange.intent(coins)["status"] == exchange.intent(tokens)["status"] == "accepted"
    exchange.wait_for_line(f"paid {coins} ")
    exchange.wait_for_line(f"paid {tokens} ")
    exchange.wait_for_balance(user, "HBD", "20.000")
    assert exchange.node.chain.accounts.balance(user, "HBD") == had[1] + 500
    assert exchange.node.sidechain.balance(user, "PEK") == had[0] + 3_000_050_000_000


def test_a_client_signs_with_the_posting_key_under_a_grant(exchange: Exchange, trader: Trader) -> None:
    refused = trader.custom_json(intent("cancelAll"), posting=True)
    assert exchange.intent(refused)["code"] == "E_AUTH"
    until = exchange.node.chain.head_time + 86_400
    limits = {"pairs": ["PEK/SWAP.HIVE"], "perDay": {"PEK": "1000"}, "bandBps": 500, "until": until}
    granted = trader.custom_json(intent("grant", to="posting", **limits))
    assert exchange.intent(granted)["status"] == "accepted"
    accepted = trader.custom_json(intent("cancelAll", ref="by-posting"), posting=True)
    assert exchange.intent(accepted)["status"] == "accepted"
    stolen = trader.custom_json(intent("withdraw", symbol="HBD", quantity="all"), posting=True)
    assert exchange.intent(stolen)["code"] == "E_GRANT"


@pytest.mark.parametrize("lacking", ["node", "dhive"])
def test_what_is_not_installed_fails_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: str
) -> None:
    found = None if lacking == "node" else "/somewhere/node"
    monkeypatch.setattr(shutil, "which", lambda *_, **__: found)
    monkeypatch.setattr(traders, "HERE", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="run `make clients`"):
        traders.node_program()


def test_clients_trade_with_each_other(exchange: Exchange) -> None:
    seller, buyer = DhiveTrader(exchange, "dhive-seller"), BeemTrader(exchange, "beem-buyer")
    for trader in (seller, buyer):
        exchange.rich(trader.account)
    # A deposit and the order that needs it, in one array.
    both = [
        deposit_of("PEK", "peakedex.pek", "500"),
        intent("sell", symbol="PEK", quote="PIMP", quantity="500", price="2"),
    ]
    exchange.node.faucet("beem-buyer", "PIMP", "5000")
    sold = seller.custom_json(both)
    exchange.wait(f"/api/orders/{sold}-1", lambda body: body["order"]["status"] == "open")
    buyer.custom_json(deposit_of("PIMP", "peakedex.pimp", "2000"))
    exchange.wait_for_balance("beem-buyer", "PIMP", "2000.00000000")
    bought = buyer.custom_json(intent("marketBuy", symbol="PEK", quote="PIMP", quantity="400"))
    exchange.wait(f"/api/orders/{bought}", lambda body: body["order"]["status"] == "filled")
    [trade] = exchange.get("/api/history?base=PEK&quote=PIMP")["trades"]
    assert (trade["taker_order"], trade["maker_order"]) == (bought, f"{sold}-1")
    assert (trade["price"], trade["amount"]) == ("2.00000", "200.00000000")
    left = exchange.get("/api/balances?user=beem-buyer")
    assert available(left, "PIMP") == "1600.00000000"


def test_what_dhive_reads_is_as_on_a_public_node(exchange: Exchange) -> None:
    exchange.rich("dhive-reader")
    seen = DhiveTrader(exchange, "dhive-reader").run(
        ["transfer", {"from": "dhive-reader", "to": "peakecoin", "amount": "1.000 HIVE", "memo": "hi"}]
    )
    assert seen["statuses"][0] in ("within_mempool", "within_reversible_block", "within_irreversible_block")
    assert seen["active"] is True
    assert seen["owners"] == [["dhive-reader"]]
    assert seen["mana"] >= 9_900  # the chain of this test runs ahead of the clock
    assert seen["price"] == "0.250 HBD"
    assert seen["head"] > 5


@pytest.mark.parametrize(
    ("key_of", "amount", "words"),
    [
        ("poor-dhive", "1000.000 HIVE", "Account poor-dhive does not have sufficient funds"),
        ("peakecoin", "1.000 HIVE", "Missing Active Authority poor-dhive"),
    ],
)
def test_dhive_hears_why_it_is_refused(exchange: Exchange, key_of: str, amount: str, words: str) -> None:
    exchange.rich("poor-dhive")
    trader = DhiveTrader(exchange, "poor-dhive", exchange.key(key_of))
    operation: list[Any] = [
        "transfer",
        {"from": "poor-dhive", "to": "peakecoin", "amount": amount, "memo": ""},
    ]
    assert words in trader.run(operation)["error"]
    # Keychain reads the frame's method, and the account name of a missing authority.
    frame = trader.seen["info"]["stack"][0]
    expected = "adjust_balance" if key_of == "poor-dhive" else "operator()"
    assert frame["context"]["method"] == expected
