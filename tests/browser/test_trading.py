"""Trading with the practice wallet: everything is signed in the page and ends on the chain."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.practice import toast, use_practice_account
from tests.browser.watch import Watch, altered, held, pumped, until
from tests.browser.world import World

OpenPage = Callable[[str], Watch]
TRADE = "trade.html?base=PEK&quote=SWAP.HIVE"


def place(page: Page, side: str, price: str, amount: str) -> None:
    """Fill in the order ticket, review and sign."""
    ticket = page.locator("#ticket")
    ticket.get_by_role("button", name=side, exact=True).click()
    ticket.get_by_label("Price", exact=True).fill(price)
    ticket.get_by_label("Amount", exact=True).fill(amount)
    ticket.get_by_role("button", name=f"{side} PEK").click()
    page.get_by_role("button", name="Sign", exact=True).click()


def intents(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "import('./js/wallet/pending.js').then((module) => module.list())"
    )
    return found


def funded(page: Page) -> None:
    """Wait until the ticket knows the balance of a practice account."""
    expect(page.locator("#ticket .label-row button").first).to_contain_text(re.compile("[1-9]"))


def orders(world: World, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.get(f"orders?user={name}")["orders"]
    return found


def test_trading_by_keyboard_only(watched: OpenPage, world: World) -> None:
    """From an empty browser to a cancelled order without a mouse."""
    page = watched(TRADE).page
    keys = page.keyboard
    until(page, "document.querySelectorAll('#book .levels tr button').length > 4")

    def tab_to(name: str, role: str = "button") -> None:
        for _ in range(120):
            keys.press("Tab")
            if page.evaluate(
                "(name) => (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim().startsWith(name)",
                name,
            ):
                return
        raise AssertionError(f"no {role} {name!r} on the way of the Tab key")

    tab_to("Choose account")
    keys.press("Enter")
    expect(page.get_by_role("button", name="Create a practice account")).to_be_visible()
    tab_to("Create a practice account")
    keys.press("Enter")
    account = page.get_by_role("button", name=re.compile("^@practice-"))
    expect(account).to_be_visible()
    name = account.inner_text().removeprefix("@")
    world.wait(f"balances?user={name}", lambda body: len(body["balances"]) == len(world.view.tokens))
    funded(page)

    keys.press("Escape")
    page.evaluate("document.activeElement.blur()")
    keys.press("b")
    assert page.evaluate("document.activeElement.id") == "ticket-price"
    keys.type("0.000300")
    keys.press("Tab")
    assert page.evaluate("document.activeElement.id") == "ticket-amount"
    keys.type("1500")
    keys.press("Enter")
    expect(page.locator("dialog .sentence")).to_have_text(
        "Peake DEX: BUY 1,500.00 PEK at 0.000300 SWAP.HIVE, total 0.45 SWAP.HIVE, expires in 30 days"
    )
    keys.press("Enter")
    toast(page, "Order placed: Buy 1,500.00 PEK at 0.000300")
    [order] = orders(world, name)
    assert (order["status"], order["price"], order["quantity"]) == ("open", "0.000300", "1500.00000000")

    expect(page.get_by_role("button", name="Cancel: Buy")).to_be_visible()
    tab_to("Cancel: Buy")
    keys.press("Enter")  # the wallet asks for confirmation, the page does not
    toast(page, "Cancelled: Buy 1,500 PEK")

    tab_to("Open orders")
    selected = page.locator("#account [role=tab][aria-selected=true]")
    for key, text in {"ArrowRight": "Order history", "End": "Balances", "ArrowLeft": "Trade history"}.items():
        keys.press(key)
        expect(selected).to_have_text(text)
        expect(selected).to_be_focused()
    keys.press("End")
    keys.press("ArrowRight")
    expect(selected).to_have_text("Open orders")
    expect(page.locator("#account .empty")).to_contain_text("Click a price in the order book to start one.")
    assert orders(world, name)[0]["status"] == "cancelled"


def test_a_level_of_the_book_fills_the_ticket(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    until(page, "document.querySelectorAll('#book .asks .levels tr button').length > 2")
    funded(page)
    page.locator("#book .asks .levels tr button").first.click()
    price = page.locator("#ticket-price").input_value()
    page.locator("#ticket-amount").fill("100")
    page.locator("#ticket").get_by_role("button", name="Buy PEK").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    toast(page, "Filled: Buy 100.00 PEK")
    [order] = orders(world, name)
    assert (order["status"], order["price"]) == ("filled", price)


def test_a_missing_price_is_asked_for_until_it_is_typed(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    """Also while a block changes what the ticket shows."""
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    ticket = page.locator("#ticket")
    ticket.get_by_label("Amount", exact=True).fill("5")
    ticket.get_by_role("button", name="Buy PEK").click()
    hint = page.locator("#ticket-price-hint")
    expect(hint).to_have_text("Required.")
    funded(page)
    available = ticket.get_by_role("button", name="SWAP.HIVE").first
    before = available.inner_text()
    world.act(name, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="100", price="0.000101")
    expect(available).not_to_have_text(before)
    expect(hint).to_be_visible()
    ticket.get_by_label("Price", exact=True).fill("0.000101")
    expect(hint).to_be_hidden()
    ticket.get_by_label("Price", exact=True).fill("")
    expect(hint).to_be_hidden()


def test_a_signed_order_is_valid_for_ten_minutes_at_the_fee_shown(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    use_practice_account(context, world)
    page = watched(TRADE).page
    until(page, "document.querySelector('.dot.live') !== null")
    before = max(time.time(), datetime.fromisoformat(world.get("health")["ts"]).timestamp())
    place(page, "Buy", "0.000295", "5")
    toast(page, "Order placed: Buy 5.00 PEK")
    after = max(time.time(), datetime.fromisoformat(world.get("health")["ts"]).timestamp())
    payload = json.loads(intents(page)[0]["draft"]["json"])["contractPayload"]
    (fee,) = {
        pair["taker_fee_bps"]
        for pair in world.get("venue")["pairs"]
        if (pair["base"], pair["quote"]) == ("PEK", "SWAP.HIVE")
    }
    assert payload["maxFeeBps"] == fee
    assert before + 590 <= payload["notAfter"] <= after + 601


def test_a_level_chosen_before_the_ticket_is_loaded_fills_it(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    use_practice_account(context, world)
    with held(context, "**/workspace.js") as on_its_way:
        page = watched(TRADE).page
        pumped(page, lambda: on_its_way)
        until(page, "document.querySelector('#book .asks .levels button span')?.textContent")
        price = page.evaluate(
            """() => {
              const level = [...document.querySelectorAll("#book .asks .levels button")].at(-1);
              level.click();
              return level.textContent;
            }"""
        )
        assert page.locator("#ticket-price").count() == 0
    expect(page.locator("#ticket-price")).to_have_value(price)


def test_a_rejection_shows_the_reason(watched: OpenPage, context: BrowserContext, world: World) -> None:
    use_practice_account(context, world)
    page = watched(TRADE).page
    page.evaluate(
        """async () => {
          const { readVenue } = await import("./js/data/api.js");
          const { limitOrder } = await import("./js/wallet/intents.js");
          const { submit } = await import("./js/wallet/submit.js");
          const { account } = await import("./js/data/session.js");
          const lots = 10n ** 12n;
          await submit(limitOrder(await readVenue(), account(), { side: "sell", base: "PEK", quote: "SWAP.HIVE", lots, ticks: 900n }));
        }"""
    )
    toast(page, "Rejected: Sell")
    message = page.locator(".toast.bad")
    expect(message).to_contain_text("Insufficient available balance")
    expect(message).to_contain_text("A rejected action changes nothing.")


def test_a_reload_keeps_pending_intents(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    world.node.chain.stalled = True  # it is sent, but no block becomes irreversible
    try:
        place(page, "Buy", "0.000299", "7")
        toast(page, "In block")
        page.reload()
        toast(page, "In block")
        [intent] = intents(page)
        assert (intent["state"], intent["outcome"]) == ("in_block", None)
        assert orders(world, name) == []
    finally:
        world.node.chain.stalled = False
    toast(page, "Order placed: Buy 7.00 PEK")
    assert [row["id"] for row in orders(world, name)] == [intent["txId"]]


def test_tabs_share_pending_intents(watched: OpenPage, context: BrowserContext, world: World) -> None:
    use_practice_account(context, world)
    first, second = watched(TRADE).page, watched("portfolio.html").page
    expect(second.locator("#header")).to_contain_text("@practice-")
    place(first, "Sell", "0.000999", "12")
    for page in (first, second):
        toast(page, "Order placed: Sell 12.00 PEK at 0.000999")
    first.close()
    assert [intent["outcome"] for intent in intents(second)] == ["open"]


@pytest.mark.parametrize("play", ["lost", "silent-reload"])
def test_an_order_is_found_by_its_ref_if_the_wallet_s_answer_is_lost(
    watched: OpenPage, context: BrowserContext, world: World, play: str
) -> None:
    """The wallet broadcasts the order but never answers; then the user stops waiting, or reloads the page."""
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    page.evaluate("sessionStorage.setItem('peakedex.practice.play', 'lost')")
    place(page, "Buy", "0.000298", "11")
    toast(page, "Signing")
    world.wait(f"orders?user={name}", lambda body: body["orders"])
    assert intents(page)[0]["state"] == "waiting"
    if play == "lost":
        page.evaluate(
            "(ref) => import('./js/wallet/submit.js').then(({ giveUp }) => giveUp(ref))",
            intents(page)[0]["ref"],
        )
    else:
        page.reload()
    toast(page, "Order placed: Buy 11.00 PEK")
    assert intents(page)[0]["txId"] == orders(world, name)[0]["id"]


@pytest.mark.parametrize(
    ("play", "title", "text"),
    [
        ("cancel", "Not signed: Buy", "Nothing happened."),
        ("ignored", "Status unknown: Buy", "dropped this request"),
        ("incomplete", "Not sent: Buy", "This is a bug of this site"),
        ("no_wallet", "Not sent: Buy", "Set up Keychain"),
        ("node", "Not sent: Buy", "Rejected by the Hive node."),
        ("empty", "Status unknown: Buy", "no clear answer"),
    ],
)
def test_wallet_errors_are_shown(
    watched: OpenPage, context: BrowserContext, world: World, play: str, title: str, text: str
) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    page.evaluate("(play) => sessionStorage.setItem('peakedex.practice.play', play)", play)
    place(page, "Buy", "0.000297", "5")
    toast(page, title)
    expect(page.locator(".toast").first).to_contain_text(text)
    assert page.locator("#ticket-price").input_value() == "0.000297"  # the draft is kept
    if play == "cancel":
        page.get_by_role("button", name="Try again").click()
        page.get_by_role("button", name="Sign", exact=True).click()
        toast(page, "Order placed: Buy 5.00 PEK")
        assert len(orders(world, name)) == 1


def test_multisig_waits_for_co_signers(watched: OpenPage, context: BrowserContext, world: World) -> None:
    use_practice_account(context, world)
    page = watched(TRADE).page
    world.node.chain.stalled = True
    try:
        page.evaluate("sessionStorage.setItem('peakedex.practice.play', 'multisig')")
        place(page, "Buy", "0.000296", "5")
        expect(page.locator(".toast .title").first).to_contain_text(
            re.compile("Waiting for co-signers|In block")
        )
    finally:
        world.node.chain.stalled = False
    toast(page, "Order placed: Buy 5.00 PEK")


def test_an_expired_transaction_is_reported(watched: OpenPage, context: BrowserContext, world: World) -> None:
    """It has expired by the chain's clock, and the API does not know it."""
    use_practice_account(context, world)
    page = watched(TRADE).page
    until(page, "document.querySelector('.dot.live') !== null")
    page.evaluate(
        """async () => {
          const { readVenue } = await import("./js/data/api.js");
          const { limitOrder } = await import("./js/wallet/intents.js");
          const { account } = await import("./js/data/session.js");
          const draft = limitOrder(await readVenue(), account(), { side: "buy", base: "PEK", quote: "SWAP.HIVE", lots: 100n, ticks: 1n });
          const { add, newIntent } = await import("./js/wallet/pending.js");
          const now = Date.now();
          add({ ...newIntent(draft), state: "sent", txId: "ab".repeat(20), asked: now, deadline: now - 120_000, sinceBlock: 1 });
        }"""
    )
    page.reload()
    toast(page, "Not included in a block: Buy 1.00 PEK")
    expect(page.locator(".toast.bad")).to_contain_text(
        "It expired and can no longer be included. Nothing happened."
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_deposit_and_withdraw(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name = use_practice_account(context, world)
    page = watched("transfer.html?symbol=HBD").page
    form = page.locator("form.form")
    expect(form).to_contain_text("Wallet balance: 200 HBD")
    expect(form).to_contain_text("@peakedex.hbd")
    form.get_by_label("Amount").fill("200.5")
    expect(form.locator("#transfer-amount-hint")).to_have_text("Insufficient HBD in your wallet.")
    form.get_by_label("Amount").fill("1.25")
    form.get_by_role("button", name="Deposit 1.25 HBD").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    toast(page, "Credited: Deposit 1.25 HBD")
    form.get_by_label("Token").select_option("PEK")
    form.get_by_label("Amount").fill("1 000.5")
    form.get_by_role("button", name="Deposit 1,000.5 PEK").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    toast(page, "Credited: Deposit 1,000.5 PEK")
    have = {row["symbol"]: row["available"] for row in world.get(f"balances?user={name}")["balances"]}
    assert (have["HBD"], have["PEK"]) == ("201.250", "1001000.50000000")

    form.get_by_role("button", name="Withdraw", exact=True).first.click()
    form.get_by_label("Token").select_option("HBD")
    expect(form).to_contain_text("Available: 201.25 HBD")
    form.get_by_role("button", name="Max").click()
    assert form.get_by_label("Amount").input_value() == "201.250"
    form.get_by_label(re.compile("^Memo")).fill("{x")
    form.locator("button[type=submit]").click()
    expect(form.locator("#transfer-memo-hint")).to_contain_text("cannot begin with { or [")
    form.get_by_label(re.compile("^Memo")).fill("for <b>me</b>")
    form.locator("button[type=submit]").click()
    expect(page.locator("dialog .sentence")).to_have_text(
        f"Peake DEX: WITHDRAW 201.25 HBD to @{name} with the memo “for <b>me</b>”"
    )
    page.get_by_role("button", name="Sign", exact=True).click()
    toast(page, "Accepted: Withdraw 201.25 HBD")
    world.wait(f"withdrawals?user={name}", lambda body: body["withdrawals"][0]["status"] == "paid")
    expect(page.locator("section", has=page.locator("#withdrawals-title"))).to_contain_text("Paid")


def test_one_signature_trades_directly_from_the_wallet(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    ticket = page.locator("#ticket")
    ticket.get_by_text("Options", exact=True).click()
    ticket.get_by_label("Trade directly from the wallet").check()
    ticket.get_by_role("button", name="Market", exact=True).click()
    page.locator("#ticket-total").fill("1")
    ticket.get_by_role("button", name="Buy PEK").click()  # off while the indexer is far behind
    expect(page.locator("dialog .sentence")).to_contain_text(
        "DEPOSIT 1 SWAP.HIVE to the escrow account @peakedex.hive, and MARKET BUY PEK"
    )
    page.get_by_role("button", name="Sign", exact=True).click()
    until(page, "toastsSeen.some(([title]) => /^(Filled|Partially filled): Buy PEK/.test(title))")
    [intent] = intents(page)
    assert [element["contractName"] for element in json.loads(intent["draft"]["json"])] == [
        "tokens",
        "peakedex",
    ]
    out = world.get(f"withdrawals?user={name}")["withdrawals"]
    assert out[-1]["symbol"] == "PEK"


def test_practice_accounts_exist_on_a_devnet_only(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    """Neither the button nor the module works if the venue or the node is not a devnet."""

    def no_nodes(route: Route) -> None:  # a page of the main network would ask public nodes for checkpoints
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub(r"(?s)Nodes: \[.*?\]", "Nodes: []", answer.text()))

    context.route("**/config.js", no_nodes)
    start = "import('./js/wallet/practice-wallet.js').then((module) => module.start()).then(() => 'started', (error) => error.message)"
    with altered(context, "venue", lambda body: body.update(network="hive")):
        page = watched(TRADE).page
        page.get_by_role("button", name="Choose account").click()
        expect(page.locator("dialog")).to_contain_text("Hive Keychain not found")
        assert page.get_by_role("button", name="practice").count() == 0
        assert page.evaluate(start) == "Practice accounts exist on a devnet only."

    def mainnet(body: Any) -> None:
        chain = "beeab0de" + "0" * 56
        if "chain_id" in body:
            body["chain_id"] = chain
        if "HIVE_CHAIN_ID" in (body.get("result") or {}):
            body["result"]["HIVE_CHAIN_ID"] = chain

    with altered(context, "devnet/*", mainnet):
        page.goto(f"{world.site}/{TRADE}")
        assert page.evaluate(start) == "Practice accounts exist on a devnet only."
        assert page.evaluate("localStorage.getItem('peakedex.wallet')") is None
