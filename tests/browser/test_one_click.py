"""One-click trading: which key signs, without which window, and what the page does when the exchange or the wallet
answers otherwise. With the fake Keychain and a fake API first, then with the practice wallet on a devnet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import open_context, serve_files
from tests.browser.practice import toast, use_practice_account
from tests.browser.venue import venue
from tests.browser.watch import Watch, altered, until
from tests.browser.world import World

STAND_IN = (Path(__file__).parent / "keychain.js").read_text("utf-8")
ORIGIN = "https://site.test"
ORDER_ID = "ab" * 20
NOW = 1_790_000_000.0  # in the afternoon: allowances are of a day
CHOICE = {
    "isOn": True,
    "skipsReview": True,
    "cancelsOffline": False,
    "ref": "",
    "asked": 0,
    "until": "",
    "seen": 0,
    "ended": "",
    "problem": "",
    "isPaused": False,
}


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Api:
    """A fake of the read API about alice."""

    def __init__(self) -> None:
        self.now = NOW
        self.block = 100
        self.used = "0"
        self.until = self.now + 3600
        self.has_grant = True
        self.fails = ""  # the path that answers 404
        self.orders: list[dict[str, Any]] = []
        self.timers: list[dict[str, Any]] = []

    def __call__(self, path: str) -> Any:
        url = urlsplit(path)
        query = parse_qs(url.query)
        stamp = {"block": self.block, "ts": iso(self.now)}
        if url.path == self.fails:
            return None
        if url.path.startswith("orders/"):
            found = [row for row in self.orders if row["id"] == url.path.removeprefix("orders/")]
            return {**stamp, "order": found[0]} if found else None
        bodies: dict[str, Callable[[], dict[str, Any]]] = {
            "venue": venue,
            "health": lambda: {"journal_hash": None, "venue_hash": None, "indexer": None},
            "grants": lambda: {"given": [self.grant()] if self.has_grant else [], "received": []},
            "marks": lambda: {"marks": [MARK]},
            "timers": lambda: {"timers": self.timers},
            "orders": lambda: {
                "orders": [row for row in self.orders if row["status"] in query.get("status", [])]
            },
            "intents": lambda: {"intents": []},
        }
        return {**stamp, **bodies[url.path]()} if url.path in bodies else None

    def grant(self) -> dict[str, Any]:
        left = f"{50 - float(self.used):.8f}"
        allowances = [
            {"symbol": "SWAP.HIVE", "per_day": "50.00000000", "used_today": self.used, "left_today": left},
            {"symbol": "PEK", "per_day": "4000.00000000", "used_today": "0", "left_today": "4000.00000000"},
        ]
        pairs = [{"base": "PEK", "quote": "SWAP.HIVE"}]
        return {
            "user": "alice",
            "to": "posting",
            "pairs": pairs,
            "allowances": allowances,
            "band_bps": 300,
            "until": iso(self.until),
            "block": 90,
        }

    def open_order(self, **changes: Any) -> dict[str, Any]:
        """Add an open order of alice."""
        row = {
            "id": ORDER_ID,
            "seq": 1,
            "user": "alice",
            "base": "PEK",
            "quote": "SWAP.HIVE",
            "side": "sell",
            "type": "limit",
            "status": "open",
            "price": "0.012000",
            "quantity": "1000.00000000",
            "remaining": "600.00000000",
            "quantity_symbol": "PEK",
            "locked": "600.00000000",
            "settle": "venue",
            "stop_price": None,
            "stop_limit": None,
            "trigger_price": None,
            **changes,
        }
        self.orders.append(row)
        return row


MARK = {
    "base": "PEK",
    "quote": "SWAP.HIVE",
    "mark": "0.0100000000",
    "amount": "100.00000000",
    "quote_amount": "1.00000000",
}
BUY = "limitOrder(venue, 'alice', { side: 'buy', base: 'PEK', quote: 'SWAP.HIVE', lots: 100000n, ticks: 10000n })"

SETUP = """async ([venue, choice]) => {
  if (choice) localStorage.setItem("peakedex.oneclick.alice", JSON.stringify(choice));
  localStorage.setItem("peakedex.account", "alice");
  const intents = { ...await import("/js/wallet/intents.js"), ...await import("/js/wallet/grant-intents.js") };
  const { review } = await import("/js/wallet/review-dialog.js");
  const pending = await import("/js/wallet/pending.js");
  await import("/js/wallet/submit.js");
  window.choices = await import("/js/wallet/one-click-choice.js");
  window.list = () => pending.list();
  window.make = (text, order) => new Function("venue", "intents", "order", `with (intents) { return ${text}; }`)(venue, intents, order);
  window.send = (text, order, options) => review(make(text, order), options);
  standIn.hasUser = true;
  standIn.whitelisted = true;
}"""

OpenSite = Callable[..., Page]


@pytest.fixture
def site(browser: Browser) -> Iterator[OpenSite]:
    """Open blank pages with a fake API, in which alice has a Keychain that signs with her posting key by itself.

    With `stands` their timers stand still until the test moves them.
    """
    contexts = ExitStack()

    def open_site(api: Api, choice: dict[str, Any] | None = CHOICE, *, stands: bool = False) -> Page:
        context = contexts.enter_context(open_context(browser))
        serve_files(context, ORIGIN, api)
        context.add_init_script("window.keychainAfter = 0;")
        context.add_init_script(STAND_IN)
        page = context.new_page()
        if stands:
            page.clock.install(time=NOW - 3600)
            page.clock.pause_at(NOW)
        else:
            page.clock.set_fixed_time(NOW)  # timers run
        page.goto(f"{ORIGIN}/blank.html")
        if stands:
            page.clock.run_for(1)  # Keychain is injected
        page.evaluate(SETUP, [venue(), choice])
        return page

    with contexts:
        yield open_site


def asked(page: Page, count: int) -> list[dict[str, Any]]:
    """Wait until the wallet has had so many requests, and return them."""
    until(page, "(count) => standIn.asked.length >= count", count)
    found: list[dict[str, Any]] = page.evaluate("standIn.asked")
    assert len(found) == count
    return found


def send(page: Page, make: str = BUY, order: dict[str, Any] | None = None, **options: Any) -> None:
    """Pass a draft to the review, as the ticket does."""
    page.evaluate("([make, order, options]) => { void send(make, order, options); }", [make, order, options])


def review_of(page: Page) -> str:
    """The text of the open review."""
    dialog = page.get_by_role("dialog", name="Review")
    expect(dialog).to_be_visible()
    return dialog.inner_text()


def test_a_covered_order_is_signed_with_the_posting_key_and_without_a_dialog(site: OpenSite) -> None:
    page = site(Api())
    send(page)
    [request] = asked(page, 1)
    assert (request["username"], request["method"]) == ("alice", "Posting")
    assert page.locator("dialog").count() == 0
    assert json.loads(request["json"])["contractAction"] == "buy"


def test_the_review_stays_where_the_trader_wants_it(site: OpenSite) -> None:
    page = site(Api(), {**CHOICE, "skipsReview": False})
    send(page)
    assert "with the posting key: one-click trading covers it." in review_of(page)
    page.get_by_label("Send one-click orders without this review").check()
    page.get_by_role("button", name="Sign", exact=True).click()
    assert asked(page, 1)[0]["method"] == "Posting"
    send(page, BUY.replace("100000n", "200n"))
    assert asked(page, 2)[1]["method"] == "Posting"


def test_the_review_offers_the_active_key_instead(site: OpenSite) -> None:
    """For a wallet that does not hold the posting key."""
    page = site(Api(), {**CHOICE, "skipsReview": False})
    send(page)
    review_of(page)
    page.get_by_role("button", name="Use the active key instead").click()
    assert asked(page, 1)[0]["method"] == "Active"


@pytest.mark.parametrize(
    ("choice", "change", "reason"),
    [
        (None, {}, None),
        ({**CHOICE, "isOn": False}, {}, None),
        ({**CHOICE, "isOn": "yes"}, {}, None),
        ({"isOn": True}, {}, None),
        (CHOICE, {"has_grant": False}, "one-click trading has expired or was revoked."),
        (CHOICE, {"until": NOW - 1}, "one-click trading has expired or was revoked."),
        (CHOICE, {"fails": "grants"}, "your one-click allowance could not be checked."),
        (CHOICE, {"fails": "marks"}, "your one-click allowance could not be checked."),
        (CHOICE, {"used": "45"}, "above today's allowance (5 of 50 SWAP.HIVE left)."),
    ],
)
def test_nothing_is_signed_with_the_posting_key_unless_it_is_turned_on_and_covered(
    site: OpenSite, choice: dict[str, Any] | None, change: dict[str, Any], reason: str | None
) -> None:
    """Also if what is stored is garbled."""
    api = Api()
    for name, value in change.items():
        setattr(api, name, value)
    page = site(api, choice)
    send(page)
    text = review_of(page)
    assert "with the active key" in text
    if reason is not None:
        assert f"You sign as @alice with the active key: {reason}" in text
    page.get_by_role("button", name="Sign", exact=True).click()
    assert asked(page, 1)[0]["method"] == "Active"


MARKET = "marketOrder(venue, 'alice', { side: 'buy', base: 'PEK', quote: 'SWAP.HIVE', budget: 100000000n, worst: %s })"
STOP = "limitOrder(venue, 'alice', { side: 'sell', base: 'PEK', quote: 'SWAP.HIVE', lots: 100n, ticks: 9900n, %s })"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (BUY.replace("10000n", "10301n"), "the price is more than 3 % worse than the mark (0.01"),
        (
            BUY.replace("quote: 'SWAP.HIVE', lots: 100000n", "quote: 'HBD', lots: 1n"),
            "PEK/HBD is not one of your one-click pairs.",
        ),
        (MARKET % "null", "a market order needs a worst price."),
        (STOP % "trigger: { ticks: 9000n, when: 'below' }", "stop orders are not part of one-click trading."),
        (
            STOP % "protect: { stopTicks: 9000n, limitTicks: 8000n }",
            "stop orders are not part of one-click trading.",
        ),
        (
            "oneSignature(venue, 'alice', { side: 'sell', base: 'PEK', quote: 'SWAP.HIVE', lots: 100n, ticks: 10000n })",
            "trades directly from the wallet are not part of one-click trading.",
        ),
        (
            "cancel(venue, 'alice', order)",
            "this order has a stop loss, which one-click trading cannot touch.",
        ),
        (
            "cancelAll(venue, 'alice')",
            "some of these orders are stops, have a stop loss, or are of other pairs.",
        ),
    ],
)
def test_outside_the_grant_the_active_key_signs_and_the_review_says_why(
    site: OpenSite, make: str, reason: str
) -> None:
    api = Api()
    order = api.open_order(stop_price="0.009000", stop_limit="0.008000")
    page = site(api)
    send(page, make, order, rests=True)
    assert f"with the active key: {reason}" in review_of(page)
    page.get_by_role("button", name="Back").click()
    assert page.evaluate("standIn.asked") == []


@pytest.mark.parametrize(
    "make",
    [
        MARKET % "10200n",
        "cancel(venue, 'alice', order)",
        "replace(venue, 'alice', order, { ticks: 12500n })",
        "cancelAll(venue, 'alice')",
        "cancelAllAfter(venue, 'alice', 60)",
    ],
)
def test_what_else_goes_out_with_one_click(site: OpenSite, make: str) -> None:
    api = Api()
    page = site(api)
    send(page, make, api.open_order())
    assert asked(page, 1)[0]["method"] == "Posting"


@pytest.mark.parametrize(
    "make",
    [
        "withdraw(venue, 'alice', { symbol: 'PEK', units: 1000n })",
        "deposit(venue, 'alice', { symbol: 'PEK', units: 1000n })",
        "revoke(venue, 'alice', 'posting')",
        "grant(venue, 'alice', { to: 'bob', pairs: [{ base: 'PEK', quote: 'HBD' }], perDay: { PEK: 1n }, bandBps: 0, until: 2 }, 1)",
    ],
)
def test_money_and_grants_always_need_the_active_key(site: OpenSite, make: str) -> None:
    page = site(Api())
    send(page, make)
    assert "You sign as @alice with the active key. " in review_of(page)
    page.get_by_role("button", name="Sign", exact=True).click()
    assert asked(page, 1)[0]["method"] == "Active"


def test_quick_orders_go_to_the_wallet_one_after_the_other_and_count_before_they_are_decided(
    site: OpenSite,
) -> None:
    """Five orders of 12 with 50 left: the fifth is above the allowance, although the API knows of none yet."""
    page = site(Api())
    for at in range(4):
        send(page, BUY.replace("100000n", f"{120_000 + at}n"))
        asked(page, at + 1)
    until(page, "standIn.broadcast.length === 4")
    send(page, BUY.replace("100000n", "120009n"))
    assert "above today's allowance (1.9994 of 50 SWAP.HIVE left)." in review_of(page)
    assert {request["method"] for request in asked(page, 4)} == {"Posting"}
    until(page, "list().every(({ state }) => state === 'sent' || state === 'in_block')")


def test_a_double_click_sends_one_order(site: OpenSite) -> None:
    page = site(Api())
    page.evaluate("(make) => Promise.all([send(make), send(make)])", BUY)
    asked(page, 1)
    until(page, "list().every((one) => one.state === 'sent')")
    assert len(page.evaluate("list()")) == 1


def test_an_ignored_request_may_have_been_broadcast(site: OpenSite) -> None:
    page = site(Api())
    page.evaluate(
        "standIn.hasUser = false; standIn.answers = [{ error: 'ignored', message: 'User ignored this transaction' }]"
    )
    send(page)
    asked(page, 1)
    until(page, "list().length === 1 && list()[0].state === 'lost'")
    assert page.evaluate("list()[0].reason") == "unclear"


def test_a_stop_while_the_review_is_open_signs_nothing(site: OpenSite) -> None:
    page = site(Api(), {**CHOICE, "skipsReview": False})
    send(page)
    review_of(page)
    page.evaluate("choices.choose('alice', { isOn: false })")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    assert page.evaluate("[standIn.asked, list()]") == [[], []]


def test_the_choice_holds_in_all_tabs_and_for_one_account(site: OpenSite) -> None:
    first = site(Api())
    second = first.context.new_page()
    second.goto(f"{ORIGIN}/blank.html")
    second.evaluate(SETUP, [venue(), None])
    first.evaluate("choices.choose('alice', { isOn: false })")
    until(second, "choices.choiceOf('alice').isOn === false")
    first.evaluate("choices.choose('alice', { isOn: true })")
    send(second, BUY.replace("'alice'", "'carol'"))
    assert "@carol with the active key. " in review_of(second)


def test_an_older_answer_than_that_which_had_the_grant_does_not_turn_it_off(site: OpenSite) -> None:
    """Another tab, or another API, may be a block behind."""
    api = Api()
    page = site(api)
    send(page)
    asked(page, 1)
    api.has_grant, api.block = False, api.block - 1
    send(page, BUY.replace("100000n", "7n"))
    assert "@alice with the active key: " in review_of(page)
    page.get_by_role("button", name="Back").click()
    choice = page.evaluate("choices.choiceOf('alice')")
    assert (choice["isOn"], choice["ended"]) == (True, "")
    api.has_grant, api.block = True, api.block + 2
    send(page, BUY.replace("100000n", "8n"))
    assert asked(page, 2)[1]["method"] == "Posting"


def test_one_click_trading_turns_itself_off_when_its_grant_has_ended(site: OpenSite) -> None:
    """A later grant, given elsewhere, does not turn it on again in this browser."""
    api = Api()
    page = site(api)
    send(page)
    asked(page, 1)
    api.has_grant = False
    send(page, BUY.replace("100000n", "7n"))
    review_of(page)
    page.get_by_role("button", name="Back").click()
    assert page.evaluate("choices.choiceOf('alice')")["ended"] == "revoked"
    api.has_grant = True
    send(page, BUY.replace("100000n", "8n"))
    assert "@alice with the active key. " in review_of(page)


# -- the cancel-all timer ----------------------------------------------------------------------------------------------

KEEP = "import('/js/wallet/offline-timer.js').then((module) => module.keepTimerArmed())"
OFFLINE = {**CHOICE, "cancelsOffline": True}


def renewals(page: Page) -> list[int]:
    """The `seconds` of the renewals that this page's wallet was asked for."""
    requests = page.evaluate("standIn.asked.filter((one) => one.json.includes('cancelAllAfter'))")
    assert {request["method"] for request in requests} <= {"Posting"}
    return [json.loads(request["json"])["contractPayload"]["seconds"] for request in requests]


def arm(api: Api, seconds: float) -> None:
    api.timers = [{"by": "posting", "due": iso(api.now + seconds), "ts": iso(api.now), "block": 99}]


def test_the_timer_is_renewed_before_it_is_due_by_one_tab(site: OpenSite) -> None:
    api = Api()
    api.open_order()
    first = site(api, OFFLINE)
    second = first.context.new_page()
    second.goto(f"{ORIGIN}/blank.html")
    second.evaluate(SETUP, [venue(), None])
    for page in (first, second):
        page.evaluate(KEEP)
    until(first, "standIn.broadcast.length === 1")
    assert (renewals(first), renewals(second)) == ([300], [])
    first.close()  # the other one goes on
    until(second, "standIn.broadcast.length === 1")
    assert renewals(second) == [300]


@pytest.mark.parametrize(
    ("choice", "left", "has_order", "expected"),
    [
        (OFFLINE, 170, True, [300]),
        (OFFLINE, 200, True, []),  # not yet
        (OFFLINE, None, False, []),  # nothing to cancel
        ({**OFFLINE, "isOn": False}, None, True, []),
        ({**OFFLINE, "cancelsOffline": False}, None, True, []),
        ({**OFFLINE, "isPaused": True}, None, True, []),
    ],
)
def test_the_timer_is_renewed_only_when_it_is_wanted_and_due(
    site: OpenSite, choice: dict[str, Any], left: int | None, has_order: bool, expected: list[int]
) -> None:
    api = Api()
    if has_order:
        api.open_order()
    if left is not None:
        arm(api, left)
    page = site(api, choice, stands=True)
    page.evaluate(KEEP)
    if expected:
        until(page, "standIn.asked.length > 0")
    for _ in range(3):  # what it reads before it decides is answered by now
        page.evaluate("fetch('/api/health').then((answer) => answer.text())")
    assert renewals(page) == expected


def test_renewals_stop_if_the_wallet_does_not_sign_by_itself(site: OpenSite) -> None:
    """Nobody may be there: its window must not come back every two minutes."""
    api = Api()
    api.open_order()
    page = site(api, OFFLINE, stands=True)
    page.evaluate("standIn.whitelisted = false")
    page.evaluate(KEEP)
    until(page, "standIn.asked.length > 0")
    page.clock.run_for(31_000)
    until(page, "choices.choiceOf('alice').isPaused")
    assert "allow it to sign with the posting key" in page.evaluate("choices.choiceOf('alice').problem")
    for _ in range(12):
        page.clock.run_for(20_000)
    assert renewals(page) == [300]


# -- on a devnet, with the practice wallet -----------------------------------------------------------------------------

TRADE = "trade.html?base=PEK&quote=SWAP.HIVE"
OpenPage = Callable[[str], Watch]


def panel(page: Page) -> Any:
    return page.locator(".one-click")


def is_on(page: Page) -> None:
    expect(page.locator("#one-click-state")).to_have_text("On")


def enable(page: Page) -> None:
    """From the panel's button to the grant, with the defaults."""
    panel(page).get_by_role("button", name="Enable").click()
    page.get_by_role("dialog").get_by_role("button", name="Enable").click()
    is_on(page)


def order(page: Page, side: str, price: str, amount: str) -> None:
    ticket = page.locator("#ticket")
    ticket.get_by_role("button", name=side, exact=True).click()
    ticket.get_by_label("Price", exact=True).fill(price)
    ticket.get_by_label("Amount", exact=True).fill(amount)
    ticket.get_by_role("button", name=f"{side} PEK").click()


def newest(world: World, name: str) -> dict[str, Any]:
    row: dict[str, Any] = world.get(f"orders?user={name}")["orders"][0]
    return row


def sign(page: Page) -> None:
    page.get_by_role("button", name="Sign", exact=True).click()


@pytest.fixture
def same_day(world: World) -> None:
    """The chain's day, of which allowances are, does not end during the test."""
    left = 86_400 - world.node.chain.head_time % 86_400
    if left < 3600:
        world.node.tick(world.node.chain.head_time + left)


def grant_by_chain(
    world: World, name: str, seconds: int = 86_400, to: str = "posting", **changes: Any
) -> None:
    """A grant given elsewhere."""
    terms = {"pairs": ["PEK/SWAP.HIVE"], "perDay": {"SWAP.HIVE": "100", "PEK": "1000"}, "bandBps": 1000}
    until_ = world.node.chain.head_time + seconds
    world.act(name, "grant", to=to, until=until_, **{**terms, **changes})
    world.wait(f"grants?user={name}", lambda body: any(row["to"] == to for row in body["given"]))


@pytest.mark.usefixtures("same_day")
def test_one_click_trading_from_enable_to_stop(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    watch = watched(TRADE)
    page = watch.page
    # The funds of a new account arrive while the dialog is open: by the stream.
    page.route("**/api/balances?*", lambda route: route.fulfill(json={"balances": []}))
    panel(page).get_by_role("button", name="Enable").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(
        "Any app that holds your account's posting authority can use this permission too."
    )
    expect(dialog).to_contain_text(
        "The most you can lose is the daily allowance: twice that around midnight UTC."
    )
    expect(dialog.get_by_label("Daily allowance of SWAP.HIVE")).to_have_value("125")
    dialog.get_by_label("Daily allowance of SWAP.HIVE").fill("1.5")
    expect(dialog.locator(".sentence")).to_contain_text(
        "orders of at most 250,000 PEK and 1.5 SWAP.HIVE a day (UTC)"
    )
    watch.accessible()
    dialog.get_by_role("button", name="Enable").click()
    is_on(page)
    expect(panel(page)).to_contain_text("1.5 of 1.5 SWAP.HIVE")

    order(page, "Buy", "0.000300", "3000")
    toast(page, "Order placed: Buy 3,000.00 PEK")
    assert page.locator("dialog").count() == 0
    assert newest(world, name)["by"] == "posting"
    expect(panel(page)).to_contain_text("0.6 of 1.5 SWAP.HIVE")
    page.get_by_role("button", name="Cancel: Buy").click()
    toast(page, "Cancelled: Buy 3,000 PEK")
    expect(panel(page)).to_contain_text("0.6 of 1.5 SWAP.HIVE")  # a cancelled order has counted
    watch.accessible()

    order(page, "Buy", "0.000300", "2100")
    assert "with the active key: above today's allowance (0.6 of 1.5 SWAP.HIVE left)." in review_of(page)
    sign(page)
    toast(page, "Order placed: Buy 2,100.00 PEK")
    assert newest(world, name)["by"] == "active"

    panel(page).get_by_role("button", name="Stop").click()
    expect(page.locator("#one-click-state")).to_have_text("Off")  # before anything is signed
    assert "STOP one-click trading: my posting key may no longer trade" in review_of(page)
    sign(page)
    expect(panel(page).get_by_role("button", name="Enable")).to_be_visible()
    assert world.get(f"grants?user={name}")["given"] == []
    order(page, "Buy", "0.000300", "100")
    assert "with the active key. " in review_of(page)


def test_a_pair_that_is_not_included_is_named(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    pair = {"symbol": "PEK", "quote": "HBD"}
    world.act(world.trader(), "sell", **pair, quantity="10000", price="0.00008")
    world.act(world.trader(), "buy", **pair, quantity="10000", price="0.0001")  # the pair needs a mark
    world.wait("history?base=PEK&quote=HBD", lambda body: body["trades"])
    page = watched(TRADE).page
    enable(page)
    page = watched("trade.html?base=PEK&quote=HBD").page
    expect(panel(page)).to_contain_text(
        "PEK/HBD is not included: its orders are signed with your active key."
    )
    order(page, "Sell", "0.0009", "10000")
    assert "with the active key: PEK/HBD is not one of your one-click pairs." in review_of(page)
    page.get_by_role("button", name="Back").click()
    panel(page).get_by_role("button", name="Change").click()
    page.get_by_role("dialog").get_by_label("PEK/HBD").check()
    page.get_by_role("dialog").get_by_role("button", name="Change").click()
    world.wait(f"grants?user={name}", lambda body: len(body["given"][0]["pairs"]) == 2)
    expect(panel(page)).not_to_contain_text("is not included")
    order(page, "Sell", "0.0009", "10000")
    toast(page, "Order placed: Sell 10,000 PEK")
    assert newest(world, name)["by"] == "posting"


def test_a_grant_that_another_browser_gave_is_used_only_after_consent(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    grant_by_chain(world, name)
    page = watched(TRADE).page
    expect(panel(page)).to_contain_text("but it is off in this browser.")
    order(page, "Buy", "0.000300", "100")
    assert "with the active key. " in review_of(page)
    page.get_by_role("button", name="Back").click()
    panel(page).get_by_role("button", name="Turn on here").click()
    is_on(page)
    page.get_by_label("Send without review").check()
    page.get_by_role("button", name="Buy PEK").click()
    toast(page, "Order placed: Buy 100.00 PEK")
    assert newest(world, name)["by"] == "posting"


def test_a_revoke_elsewhere_turns_it_off_while_the_page_is_open(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    first, second = watched(TRADE).page, watched(TRADE).page
    enable(first)
    is_on(second)  # the same browser
    world.act(name, "revoke", to="posting")
    for page in (first, second):
        expect(panel(page)).to_contain_text(
            "One-click trading was revoked. Orders are signed with your active key."
        )
    order(first, "Buy", "0.000300", "100")
    assert "with the active key. " in review_of(first)


def test_the_end_of_a_grant_turns_it_off(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    expect(panel(page)).to_be_visible()
    grant_by_chain(world, name, seconds=3600)
    panel(page).get_by_role("button", name="Turn on here").click()
    is_on(page)
    world.node.tick(world.node.chain.head_time + 3600)
    expect(panel(page)).to_contain_text(
        "One-click trading has expired. Orders are signed with your active key."
    )


@pytest.mark.usefixtures("same_day")
def test_an_order_that_the_exchange_refuses_under_the_grant_can_be_signed_with_the_active_key(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    """The page believes in more than is left, as after an order from another program."""
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    enable(page)

    def generous(body: Any) -> None:
        for row in body["given"]:
            for allowance in row["allowances"]:
                allowance["left_today"] = allowance["per_day"] = "900000.00000000"

    with altered(context, "grants*", generous):
        order(page, "Buy", "0.000300", "900000")
        toast(page, "Rejected: Buy 900,000.00 PEK")
        expect(page.locator(".toast.bad")).to_contain_text("Not covered by the account's grant")
    page.get_by_role("button", name="Sign with the active key").click()
    assert "with the active key: above today's allowance (125 of 125 SWAP.HIVE left)." in review_of(page)
    sign(page)
    toast(page, "Order placed: Buy 900,000.00 PEK")
    assert newest(world, name)["by"] == "active"


def test_orders_are_cancelled_when_the_last_page_is_closed(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    enable(page)
    page.get_by_label("Cancel all if I go offline").check()
    expect(panel(page)).to_contain_text("Armed as soon as you have an open order.")
    order(page, "Buy", "0.000300", "100")
    toast(page, "Order placed: Buy 100.00 PEK")
    expect(panel(page)).to_contain_text("Armed: orders are cancelled at ")
    [timer] = world.get(f"timers?user={name}")["timers"]
    assert timer["by"] == "posting"
    page.close()
    world.node.tick(world.node.chain.head_time + 300)
    world.wait(f"orders?user={name}", lambda body: body["orders"][0]["status"] == "cancelled")
    assert world.get(f"timers?user={name}")["timers"] == []


def test_the_timer_can_be_switched_off(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    enable(page)
    order(page, "Buy", "0.000300", "100")
    toast(page, "Order placed: Buy 100.00 PEK")
    page.get_by_label("Cancel all if I go offline").check()
    expect(panel(page)).to_contain_text("Armed: orders are cancelled at ")
    page.get_by_label("Cancel all if I go offline").uncheck()
    world.wait(f"timers?user={name}", lambda body: body["timers"] == [])
    expect(panel(page)).to_contain_text("5 minutes after the last page of this exchange is closed")
    assert newest(world, name)["status"] == "open"


@pytest.mark.usefixtures("same_day")
def test_grants_to_trading_bots(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name, bot = use_practice_account(context, world), world.trader()
    watch = watched("portfolio.html")
    page = watch.page
    page.get_by_role("button", name="Add a trading bot").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Grant", exact=True).click()
    expect(dialog).to_contain_text("Required.")
    dialog.get_by_label("Account of the bot").fill(f"@{bot}")
    dialog.get_by_role("button", name="Grant", exact=True).click()
    expect(dialog).to_contain_text("Choose at least one pair.")
    dialog.get_by_label("PEK/SWAP.HIVE").check()
    dialog.get_by_label("Daily allowance of PEK").fill("1000")
    dialog.get_by_label("Price band").fill("101")
    expect(dialog).to_contain_text("Must be between 0 and 100 %.")
    dialog.get_by_label("Price band").fill("2.5")
    dialog.get_by_label("Ends").select_option(index=0)
    watch.accessible()
    dialog.get_by_role("button", name="Grant", exact=True).click()
    row = page.get_by_role("table", name="Grants given").locator("tr", has_text=f"@{bot}")
    expect(row).to_contain_text("0 of 1,000 PEK")
    expect(row).to_contain_text("2.5 %")
    expect(row).to_contain_text("Active")

    pair = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "250", "price": "0.000990"}
    world.act(bot, "sell", **pair, **{"for": name})
    expect(row).to_contain_text("250 of 1,000 PEK")
    watch.fits()
    watch.accessible()
    row.get_by_role("button", name="Revoke").click()
    assert f"REVOKE the grant to @{bot}: it may no longer trade for me" in review_of(page)
    sign(page)
    expect(row).to_contain_text("Revoked")
    assert world.get(f"grants?user={name}")["given"] == []
    expect(row.get_by_role("button")).to_have_count(0)
    page.reload()
    expect(row).to_contain_text("Revoked")


def test_a_grant_that_ended_while_nobody_looked_is_shown_as_expired(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name, bot = use_practice_account(context, world), world.trader()
    grant_by_chain(world, name, seconds=3600, to=bot)
    page = watched("portfolio.html").page
    row = page.get_by_role("table", name="Grants given").locator("tr", has_text=f"@{bot}")
    expect(row).to_contain_text("Active")
    page.close()
    world.node.tick(world.node.chain.head_time + 3600)
    world.wait(f"grants?user={name}", lambda body: body["given"] == [])
    page = watched("portfolio.html").page
    row = page.get_by_role("table", name="Grants given").locator("tr", has_text=f"@{bot}")
    expect(row).to_contain_text("Expired")


@pytest.mark.parametrize("stored", ['[{},{"user":1}]', "{bad", "5", "null"])
def test_garbled_notes_of_earlier_grants_are_discarded(
    watched: OpenPage, context: BrowserContext, world: World, stored: str
) -> None:
    name = use_practice_account(context, world)
    context.add_init_script(f"localStorage.setItem('peakedex.grants.{name}', {stored!r})")
    page = watched("portfolio.html").page
    expect(page.get_by_text("No grants.")).to_be_visible()


def test_the_public_view_of_an_account_shows_its_grants_and_no_buttons(
    watched: OpenPage, world: World
) -> None:
    name, bot = world.trader(), world.trader()
    grant_by_chain(world, name, to=bot)
    page = watched(f"account.html?user={name}").page
    expect(page.locator("tr", has_text=f"@{bot}")).to_contain_text("PEK/SWAP.HIVE")
    assert page.get_by_role("button", name="Revoke").count() == 0
    page = watched(f"account.html?user={bot}").page
    expect(page.get_by_role("heading", name="Grants to this account")).to_be_visible()
    expect(page.locator("tr", has_text=f"@{name}")).to_contain_text("Active")
