"""Tables of orders, trades and transfers: what each row says. The rows are as the API gives them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import serve_files
from tests.browser.venue import venue

ORIGIN = "https://site.test"
SHOW = """async ([name, rows, terms]) => {
  const tables = { ...await import("/js/account/order-tables.js"), ...await import("/js/account/transfer-tables.js"),
    ...await import("/js/account/balances-table.js") };
  const signed = { of: (order) => terms[order.id] ?? null, seen() {}, read() {}, state: () => "" };
  const nothing = () => {};
  const actions = { cancel: nothing, replace: nothing };
  const table = { open: () => tables.openOrdersTable(actions, signed), history: () => tables.orderHistoryTable(signed),
    deposits: () => tables.depositsTable(), withdrawals: () => tables.withdrawalsTable(nothing) }[name]();
  document.body.replaceChildren(table.node);
  table.show(rows);
  const heads = [...table.node.querySelectorAll("th")].map((head) => head.textContent);
  return [...table.node.querySelectorAll("tbody tr")].map((row) =>
    Object.fromEntries([...row.children].map((cell, at) => [heads[at], cell.textContent.trim()])));
}"""


def show(page: Page, name: str, *rows: dict[str, Any], terms: Any = None) -> list[dict[str, str]]:
    """The cells of each row by heading."""
    found: list[dict[str, str]] = page.evaluate(SHOW, [name, list(rows), terms or {}])
    return found


def order(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "ab" * 20,
        "seq": 1,
        "user": "alice",
        "base": "PEK",
        "quote": "SWAP.HIVE",
        "side": "sell",
        "type": "limit",
        "status": "open",
        "price": "0.450000",
        "average_price": None,
        "quantity": "700.00000000",
        "quantity_symbol": "PEK",
        "remaining": "700.00000000",
        "filled": "0.00000000",
        "gets": "SWAP.HIVE",
        "received": "0.00000000",
        "fees": "0.00000000",
        "settle": "venue",
        "by": "active",
        "ref": None,
        "fired": None,
        "stop_of": None,
        "ts": "2026-11-29T12:00:00Z",
        "expires": "2026-12-29T12:00:00Z",
        "closed_ts": None,
    }
    nothing = ("stop_price", "stop_limit", "trigger_price", "trigger_when", "time_in_force", "post_only")
    return {**dict.fromkeys(nothing), **row, **changes}


WAITING = {"status": "waiting", "time_in_force": "GTC", "post_only": False}
BELOW = {**WAITING, "trigger_price": "0.400000", "trigger_when": "below"}
ABOVE = {**WAITING, "trigger_price": "0.500000", "trigger_when": "above"}


@pytest.mark.parametrize(
    ("changes", "kind", "price", "status"),
    [
        ({}, "▼ Sell Limit", "0.450000", "Open"),
        (
            {"stop_price": "0.400000", "stop_limit": "0.380000"},
            "▼ Sell Limit",
            "0.450000",
            "Stop loss 0.400000",
        ),
        (
            {"side": "buy", "stop_price": "0.500000", "stop_limit": "0.520000"},
            "▲ Buy Limit",
            "0.450000",
            "Stop 0.500000",
        ),
        (BELOW, "▼ Sell Stop-limit", "0.450000", "WaitingMark ≤ 0.400000"),
        (BELOW | {"type": "market"}, "▼ Sell Stop-market", "Market", "WaitingMark ≤ 0.400000"),
        (ABOVE, "▼ Sell Take-profit limit", "0.450000", "WaitingMark ≥ 0.500000"),
        (ABOVE | {"type": "market"}, "▼ Sell Take-profit market", "Market", "WaitingMark ≥ 0.500000"),
        (ABOVE | {"side": "buy"}, "▲ Buy Stop-limit", "0.450000", "WaitingMark ≥ 0.500000"),
        (BELOW | {"side": "buy"}, "▲ Buy Take-profit limit", "0.450000", "WaitingMark ≤ 0.400000"),
        (BELOW | {"post_only": True}, "▼ Sell Stop-limit", "0.450000", "WaitingMark ≤ 0.400000Post-only"),
        (BELOW | {"time_in_force": "FOK"}, "▼ Sell Stop-limit", "0.450000", "WaitingMark ≤ 0.400000FOK"),
        ({"settle": "wallet"}, "▼ Sell Limit", "0.450000", "To wallet"),
        ({"by": "posting"}, "▼ Sell Limit", "0.450000", "Open"),
        ({"by": "my.bot"}, "▼ Sell Limit", "0.450000", "By @my.bot"),
    ],
)
def test_an_open_order_says_its_kind_and_what_waits(
    modules: Page, changes: dict[str, Any], kind: str, price: str, status: str
) -> None:
    [row] = show(modules, "open", order(**changes))
    assert (row["Type"], row["Price"], row["Status"]) == (kind, price, status)
    assert (row["Amount"], row["Filled"]) == ("700 PEK", "0 %")
    assert row["Actions"] == ("Cancel" if changes.get("trigger_price") else "ReplaceCancel")


def test_a_stop_says_what_it_becomes(modules: Page) -> None:
    show(modules, "open", order(**BELOW), order(**ABOVE, type="market", seq=2))
    titles = [node.get_attribute("title") for node in modules.query_selector_all(".tag.wait")]
    assert titles == [
        "When the mark price of PEK is ≤ 0.400000, it becomes a limit sell at 0.450000 of 700 PEK.",
        "When the mark price of PEK is ≥ 0.500000, it becomes a market sell (worst price 0.450000) of 700 PEK.",
    ]


def test_post_only_is_known_from_what_was_signed(modules: Page) -> None:
    terms = {"ab" * 20: {"post_only": True}}
    assert [row["Status"] for row in show(modules, "open", order(), terms=terms)] == ["Post-only"]


FILLED = {
    "status": "filled",
    "remaining": "0.00000000",
    "filled": "700.00000000",
    "average_price": "0.4512345000",
    "received": "315.36600000",
    "fees": "0.63160000",
    "closed_ts": "2026-11-29T13:00:00Z",
}


def test_history_has_average_price_filled_amount_and_fee(modules: Page) -> None:
    partly = {**FILLED, "status": "cancelled", "filled": "0.50000000", "average_price": "0.4500000000"}
    rows = show(modules, "history", order(**FILLED), order(**partly, seq=2), order(status="expired", seq=3))
    assert [row["Avg. price"] for row in rows] == ["0.4512345", "0.450000", "–"]
    assert [row["Filled / amount"] for row in rows] == [
        "700 / 700\xa0PEK",
        "0.50 / 700\xa0PEK",
        "0 / 700\xa0PEK",
    ]
    assert [row["Fee"] for row in rows] == ["0.6316 SWAP.HIVE", "0.6316 SWAP.HIVE", "–"]
    assert [row["Status"] for row in rows] == ["Filled", "Cancelled", "Expired"]


def test_history_says_what_a_stop_did(modules: Page) -> None:
    fired = {"order": "ab" * 20, "code": None, "error": None}
    failed = {"order": None, "code": "E_FUNDS", "error": "Insufficient funds."}
    protected = {"status": "cancelled", "stop_price": "0.400000", "stop_limit": "0.380000"}
    triggered = {**BELOW, "status": "triggered"}
    rows = show(
        modules,
        "history",
        order(**triggered, fired=fired),
        order(**triggered, fired=failed, seq=2),
        order(**protected, fired=fired, seq=3),
        order(**protected, fired=failed, seq=4),
        order(**FILLED | {"type": "market", "id": "ab" * 20 + "~stop", "stop_of": "ab" * 20, "seq": 5}),
        order(**FILLED | {"stop_of": "ab" * 20, "seq": 6}),
    )
    assert [(row["Type"], row["Status"]) for row in rows] == [
        ("▼ Sell Stop-limit", "Triggered"),
        ("▼ Sell Stop-limit", "Triggered: Insufficient funds."),
        ("▼ Sell Limit", "Stop loss triggered"),
        ("▼ Sell Limit", "Stop loss triggered: Insufficient funds."),
        ("▼ Sell Stop loss", "Filled"),
        ("▼ Sell Limit", "Filled"),
    ]


REJECTED = {
    "status": "rejected",
    "action": "buy",
    "code": "E_FUNDS",
    "error": "Insufficient funds.",
    "ref": "w1",
}


def test_a_rejected_order_shows_its_terms(modules: Page) -> None:
    row: dict[str, Any] = {
        "id": "cd" * 20,
        "user": "alice",
        "ts": "2026-11-29T12:00:00Z",
        "block": 5,
    } | REJECTED
    [unknown] = show(modules, "history", row)
    assert (unknown["Pair"], unknown["Type"], unknown["Price"]) == ("–", "Buy", "–")
    assert unknown["Filled / amount"] == "Show order"
    assert unknown["Status"] == "Rejected: Insufficient funds."
    terms = order(side="buy", price="1.5", quantity="12500")
    [known] = show(modules, "history", row, terms={"cd" * 20: terms})
    assert (known["Pair"], known["Type"], known["Price"]) == ("PEK/SWAP.HIVE", "▲ Buy Limit", "1.5")
    assert (known["Filled / amount"], known["Status"]) == ("12,500 PEK", "Rejected: Insufficient funds.")


def test_a_deposit_has_no_payment_and_a_refund_has(modules: Page) -> None:
    row = {"ts": "2026-11-29T12:00:00Z", "symbol": "PEK", "amount": "5.00000000", "paid_by": None}
    rows = show(
        modules,
        "deposits",
        {**row, "id": "ab" * 20, "status": "credited"},
        {**row, "id": "cd" * 20, "status": "refunded", "paid_by": "ef" * 20},
        {**row, "id": "01" * 20, "status": "refund_due"},
    )
    assert [row["Status"] for row in rows] == ["Credited", "Refunded efefefef", "Refund due"]
    assert "Payment" not in rows[0]


def test_a_withdrawal_can_be_cancelled_while_it_is_pending(modules: Page) -> None:
    row: dict[str, Any] = {"ts": "2026-11-29T12:00:00Z", "symbol": "HBD", "amount": "2.500", "to": "bob"}
    row |= {"paid_by": None, "payout": None, "returning": False, "return_due": None}
    rows = show(
        modules,
        "withdrawals",
        {**row, "id": "1", "status": "pending"},
        {**row, "id": "2", "status": "pending", "returning": True, "return_due": "2026-11-29T13:05:00Z"},
        {**row, "id": "3", "status": "returned", "return_due": "2026-11-29T13:05:00Z"},
        {**row, "id": "4", "status": "paid", "paid_by": "ef" * 20},
    )
    due = modules.evaluate(
        """async () => (await import("/js/lib/format.js")).hourMinute("2026-11-29T13:05:00Z")"""
    )
    assert [(row["Status"], row["Actions"]) for row in rows] == [
        ("Pending", "Cancel"),
        (f"Returning at {due}", ""),
        ("Returned", ""),
        ("Paid", ""),
    ]


# -- terms of rejected orders ------------------------------------------------------------------------------------

DECODE = """async ([id, transaction]) => {
  const { decode } = await import("/js/account/signed-orders.js");
  return decode(id, transaction, "ssc-mainnet-hive", "peakedex");
}"""


@pytest.fixture
def reader(context: BrowserContext) -> Page:
    serve_files(context, ORIGIN, lambda path: venue() if path == "venue" else None)
    page = context.new_page()
    page.goto(f"{ORIGIN}/blank.html")
    return page


def element(action: str = "buy", contract: str = "peakedex", **payload: Any) -> str:
    fields = ",".join(f'"{name}":{value}' for name, value in payload.items())
    return f'{{"contractName":"{contract}","contractAction":"{action}","contractPayload":{{{fields}}}}}'


BUY = element(symbol='"PEK"', quote='"HBD"', quantity='"12.5"', price='"0.125"', postOnly="true")
SELL = element("sell", symbol='"PEK"', quantity="3", price="0.5", triggerPrice='"0.4"', triggerWhen='"below"')


def operation(json: str, name: str = "custom_json", custom_id: str = "ssc-mainnet-hive") -> list[Any]:
    return [name, {"required_auths": ["alice"], "id": custom_id, "json": json}]


def test_the_terms_are_those_of_the_named_element(reader: Page) -> None:
    tx = "ab" * 20
    one, two = operation(BUY), operation(f"[{SELL},{BUY}]")
    buy = reader.evaluate(DECODE, [tx, {"operations": [one]}])
    assert (buy["base"], buy["quote"], buy["side"], buy["type"]) == ("PEK", "HBD", "buy", "limit")
    assert (buy["price"], buy["quantity"], buy["quantity_symbol"], buy["post_only"]) == (
        "0.125",
        "12.5",
        "PEK",
        True,
    )
    sell = reader.evaluate(DECODE, [f"{tx}-1-0", {"operations": [one, two]}])
    assert (sell["base"], sell["quote"], sell["side"], sell["price"]) == ("PEK", "SWAP.HIVE", "sell", "0.5")
    assert (sell["quantity"], sell["trigger_price"], sell["trigger_when"]) == ("3", "0.4", "below")
    assert reader.evaluate(DECODE, [f"{tx}-1-1", {"operations": [one, two]}]) == buy
    assert reader.evaluate(DECODE, [f"{tx}-0", {"operations": [one, two]}]) == buy
    flat = '{"base":"PEK","quote":"HBD","side":"sell","price":"2","amount":"7"}'
    row = reader.evaluate(DECODE, [tx, {"operations": [operation(flat)]}])
    assert (row["base"], row["quote"], row["side"], row["quantity"]) == ("PEK", "HBD", "sell", "7")


@pytest.mark.parametrize(
    "transaction",
    [
        None,
        {},
        {"operations": []},
        {"operations": [operation(BUY, name="vote")]},
        {"operations": [operation(BUY, custom_id="other")]},
        {"operations": [operation("{bad")]},
        {"operations": [operation("null")]},
        {"operations": [operation(element(contract="tokens"))]},
        {"operations": [operation(element("withdraw", symbol='"PEK"'))]},
    ],
)
def test_what_is_no_order_has_no_terms(reader: Page, transaction: Any) -> None:
    assert reader.evaluate(DECODE, ["ab" * 20, transaction]) is None


def test_malformed_terms_are_left_out(reader: Page) -> None:
    bad = element(symbol='"<b>"', quote="5", quantity='"1e5"', price='{"a":1}')
    row = reader.evaluate(DECODE, ["ab" * 20, {"operations": [operation(bad)]}])
    assert (row["base"], row["quote"], row["quantity"], row["price"]) == (None, None, None, None)


@pytest.mark.parametrize(
    "stored", ["{bad", "5", "null", '[["x"]]', '[["alice w1", 5]]', '[["alice w1", {"side": 7}]]']
)
def test_garbled_stored_terms_are_discarded(reader: Page, stored: str) -> None:
    found = reader.evaluate(
        """async (stored) => {
          localStorage.setItem("peakedex.signed", stored);
          const { signedOrders } = await import("/js/account/signed-orders.js");
          return signedOrders(() => {}).of({ id: "1", user: "alice", ref: "w1" });
        }""",
        stored,
    )
    assert found is None
