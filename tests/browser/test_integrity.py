"""The page trusts no API alone: pins, other APIs, the operator's checkpoint on Hive, and failover."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import FRONTEND, serve_files
from tests.browser.venue import venue
from tests.browser.watch import held, pumped, until

SITE = "https://site.test"
OTHER = "https://other.test"
THIRD = "https://third.test"
NODES = ("https://node-one.test", "https://node-two.test")
VENUE_HASH = "a" * 64
TIME = "2026-09-21T14:13:53Z"
PINS: dict[str, Any] = {
    "venueHash": VENUE_HASH,
    "contract": "peakedex",
    "customJsonId": "ssc-mainnet-hive",
    "checkpointAccounts": ["peakedex", "peakedex.proof"],
    "escrows": {token["symbol"]: token["escrow"] for token in venue()["tokens"]},
}


def true_hash(block: int) -> str:
    """The journal hash of the honest APIs after a block."""
    return f"{block:064x}"


class Api:
    """A read API at a block, with a journal. `is_silent`: connections fail. `recorded_from`: its first block."""

    def __init__(self, block: int) -> None:
        self.block = block
        self.hash_of: Callable[[int], str] = true_hash
        self.venue = venue(venue_hash=VENUE_HASH)
        self.alarms: list[str] = []
        self.health: dict[str, Any] = {}  # fields that replace those of its true answer
        self.is_silent = False
        self.status = 200
        self.recorded_from = 0
        self.asked: list[str] = []

    def answer(self, path: str) -> Any:
        """The body of a path; None for 404."""
        name, _, number = path.split("?", maxsplit=1)[0].partition("/")
        self.asked.append(path)
        if name == "venue":
            return self.venue
        if name == "health":
            hashes = {"venue_hash": self.venue["venue_hash"], "journal_hash": self.hash_of(self.block)}
            rest = {
                "indexer": None,
                "alarms": self.alarms,
                "age_seconds": 1,
                "version": "1",
                "database": "ok",
            }
            return {"block": self.block, "ts": TIME, "network": "hive", **hashes, **rest, **self.health}
        if name == "blocks" and self.recorded_from <= int(number) <= self.block:
            return {"block": int(number), "number": int(number), "journal_hash": self.hash_of(int(number))}
        lists = {"pairs": "pairs", "checkpoints": "checkpoints", "peers": "peers", "deposits": "deposits"}
        return {"block": self.block, lists[name]: []} if name in lists else None

    def route(self, context: BrowserContext, origin: str) -> None:
        """Answer at an origin other than the site's."""

        def handle(route: Route) -> None:
            if self.is_silent:
                route.abort("connectionrefused")
                return
            body = self.answer(route.request.url.removeprefix(f"{origin}/api/"))
            allow = {"Access-Control-Allow-Origin": "*"}
            route.fulfill(status=404 if body is None else self.status, json=body or {}, headers=allow)

        context.route(f"{origin}/**", handle)


class HiveNode:
    """The account history of a Hive node. `is_silent`: connections fail."""

    def __init__(self) -> None:
        self.operations: list[dict[str, Any]] = []
        self.is_silent = False
        self.asked = 0

    def publish(self, block: int, journal_hash: str, account: str = "peakedex", **changes: Any) -> None:
        payload = {"block": block, "stateHash": "c" * 64, "journalHash": journal_hash}
        action = {"contractName": "peakedex", "contractAction": "checkpoint", "contractPayload": payload}
        operation = {"id": "ssc-mainnet-hive", "required_auths": [account], "required_posting_auths": []}
        self.operations.append({**operation, "json": json.dumps(action), **changes})

    def answer(self, method: str, params: Any) -> Any:
        assert method == "condenser_api.get_account_history"
        assert params[1:] == [-1, 100, 1 << 18]
        rows = [
            row
            for row in self.operations
            if params[0] in row["required_auths"] + row["required_posting_auths"]
        ]
        return [[n, {"trx_id": f"{n:040x}", "op": ["custom_json", row]}] for n, row in enumerate(rows)]

    def route(self, context: BrowserContext, url: str) -> None:
        def handle(route: Route) -> None:
            call = route.request.post_data_json
            if call is None or "account_history" not in call["method"]:
                route.abort()  # a wallet balance
                return
            self.asked += 1
            if self.is_silent:
                route.abort("connectionrefused")
                return
            body = {"jsonrpc": "2.0", "id": 1, "result": self.answer(call["method"], call["params"])}
            route.fulfill(json=body, headers={"Access-Control-Allow-Origin": "*"})

        context.route(f"{url}/**", handle)


class Exchange:
    """The site with three APIs, all honest, and two Hive nodes; tests change them before they open a page."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.own, self.other, self.third = Api(5000), Api(5000), Api(5000)
        self.nodes = [HiveNode() for _ in NODES]
        self.apis = ["api/", f"{OTHER}/api/", f"{THIRD}/api/"]
        self.pins: dict[str, Any] | None = PINS
        context.route("https://api.hive-engine.com/**", lambda route: route.abort())
        serve_files(context, SITE, self.own.answer)
        context.route(f"{SITE}/api/**", self._own)
        context.route(f"{SITE}/config.js", self._config)
        self.other.route(context, OTHER)
        self.third.route(context, THIRD)
        for node, url in zip(self.nodes, NODES, strict=True):
            node.route(context, url)

    def _own(self, route: Route) -> None:
        if self.own.is_silent:
            route.abort("connectionrefused")
        elif self.own.status != 200:
            route.fulfill(status=self.own.status, json={"code": "E_NOT_READY"})
        else:
            route.fallback()

    def _config(self, route: Route) -> None:
        text = (FRONTEND / "config.js").read_text("utf-8")
        for before, after in (
            ('["api/"]', json.dumps(self.apis)),
            ("pins: null", f"pins: {json.dumps(self.pins)}"),
            (re.findall(r"hiveNodes: (\[.*?\])", text)[0], json.dumps([*NODES])),
        ):
            assert text.count(before) == 1
            text = text.replace(before, after)
        route.fulfill(body=text, content_type="text/javascript")

    def open(self, path: str = "audit.html") -> Page:
        page = self.context.new_page()
        page.goto(f"{SITE}/{path}")
        return page


@pytest.fixture
def exchange(context: BrowserContext) -> Exchange:
    return Exchange(context)


def results(page: Page) -> dict[str, tuple[str, str]]:
    """Result and details of each comparison on the Audit screen, by what was compared."""
    until(page, "document.querySelectorAll('#integrity tbody tr:not(.skeleton-row) td').length > 5")
    found = {}
    for row in page.locator("#integrity tbody tr").all():
        cells = row.locator("td").all_inner_texts()
        found[cells[0]] = (cells[1], cells[4])
    return found


def blocked(page: Page) -> str:
    """Why nothing is signed."""
    draft = {"kind": "custom_json", "id": "ssc-mainnet-hive", "json": '{"contractName":"peakedex"}'}
    reason: str = page.evaluate(
        "(draft) => import('/js/data/integrity.js').then((module) => module.signingBlocked(draft))", draft
    )
    return reason


def again(page: Page) -> None:
    """Compare once more, as a minute later."""
    page.evaluate("import('/js/data/integrity.js').then((module) => module.checkIntegrity())")


MATCH, MISMATCH, UNKNOWN = "✓ Match", "✗ Mismatch", "Not compared"
CHECKPOINT = "Operator's checkpoint on Hive"


def test_what_agrees_is_listed_and_signing_goes_on(exchange: Exchange) -> None:
    exchange.own.block, exchange.other.block, exchange.third.block = (
        5000,
        4990,
        5020,
    )  # lag is no disagreement
    exchange.nodes[0].publish(4800, true_hash(4800))
    page = exchange.open()
    found = results(page)
    assert {name: result for name, (result, _) in found.items()} == {
        "Venue file": MATCH,
        CHECKPOINT: MATCH,
        "other.test": MATCH,
        "third.test": MATCH,
    }
    assert blocked(page) == ""
    expect(page.locator(".banner.danger")).to_have_count(0)
    blocks = [row.locator("td").nth(2).inner_text() for row in page.locator("#integrity tbody tr").all()]
    assert sorted(blocks) == ["4,800", "4,990", "5,000", "–"]


def test_an_api_with_another_journal_is_named_on_every_screen_and_nothing_is_signed(
    exchange: Exchange,
) -> None:
    exchange.other.hash_of = lambda block: true_hash(block) if block < 4000 else "f" * 64
    page = exchange.open()
    assert results(page)["other.test"][0] == MISMATCH
    reason = "other.test and site.test have different journal hashes at block 5,000: one of them is wrong."
    assert blocked(page) == f"Signing is disabled. {reason}"
    for path in ("index.html", "transfer.html", "trade.html", "portfolio.html", "account.html?user=alice"):
        page = exchange.open(path)
        banner = page.locator(".banner.danger", has_text=reason)
        expect(banner.get_by_role("link")).to_have_attribute("href", "audit.html#integrity")
    exchange.other.hash_of = true_hash  # it was repaired
    again(page)
    expect(page.locator(".banner.danger", has_text="journal")).to_have_count(0)
    assert blocked(page) == ""


def test_an_api_of_another_venue_is_named(exchange: Exchange) -> None:
    exchange.third.venue = venue(venue_hash="b" * 64)
    page = exchange.open()
    assert results(page)["third.test"] == (MISMATCH, "third.test and site.test serve different venues.")
    assert "third.test" in blocked(page)


def test_an_api_that_hides_past_hashes_is_caught_at_the_next_check(exchange: Exchange) -> None:
    """It is ahead of the others, so only it could tell the hash that they have in common."""
    exchange.own.hash_of = lambda _: "f" * 64
    exchange.own.recorded_from = 1_000_000
    exchange.other.block = exchange.third.block = 4990
    page = exchange.open()
    assert results(page)["other.test"] == (UNKNOWN, "Only one of them has block 4,990.")
    assert blocked(page) == ""
    exchange.own.block, exchange.other.block, exchange.third.block = 5020, 5010, 5010
    again(page)
    assert "different journal hashes at block 5,000" in blocked(page)


def test_a_silent_or_broken_api_is_no_disagreement(exchange: Exchange) -> None:
    exchange.other.is_silent = True
    exchange.third.health = {"block": "5000", "journal_hash": [], "venue_hash": None}
    page = exchange.open()
    found = results(page)
    assert found["other.test"] == (UNKNOWN, "No answer.")
    assert found["third.test"] == (UNKNOWN, "No blocks yet.")
    assert blocked(page) == ""


def test_an_api_that_never_answers_prevents_no_signature(exchange: Exchange, context: BrowserContext) -> None:
    """The check goes on, but a signature waits for it for a while only."""
    with held(context, f"{OTHER}/**") as waiting:
        page = exchange.open("transfer.html")
        pumped(page, lambda: waiting)
        assert blocked(page) == ""
        compared = page.evaluate(
            "import('/js/data/integrity.js').then((module) => module.integrityState().comparisons.length)"
        )
        assert compared < 4, "the venue file, the checkpoint, and the two other APIs"


def test_a_mismatch_stays_while_the_other_api_is_away(exchange: Exchange) -> None:
    exchange.other.hash_of = lambda _: "f" * 64
    page = exchange.open()
    results(page)
    exchange.other.is_silent = True
    again(page)
    assert "other.test" in blocked(page)


def test_a_chain_that_starts_anew_clears_what_was_compared(exchange: Exchange) -> None:
    """As a devnet does: the hashes of its former blocks say nothing about the new ones."""
    exchange.nodes[0].publish(4800, true_hash(4800))
    page = exchange.open()
    assert results(page)["other.test"][0] == MATCH
    for api in (exchange.own, exchange.other, exchange.third):
        api.block, api.hash_of = 30, lambda block: f"{block + 7:064x}"
    again(page)
    assert blocked(page) == ""
    assert results(page)[CHECKPOINT] == (UNKNOWN, "The API has not reached the checkpoint's block yet.")
    for api in (exchange.own, exchange.other, exchange.third):
        api.block = 4900
    exchange.nodes[0].operations.clear()
    again(page)
    assert blocked(page) == ""


# -- checkpoints -------------------------------------------------------------------------------------


def test_a_checkpoint_of_the_operator_that_differs_stops_signing(exchange: Exchange) -> None:
    for node in exchange.nodes:
        node.publish(4800, "e" * 64, account="peakedex.proof")
    page = exchange.open()
    reason = "The checkpoint of block 4,800 that @peakedex.proof published on Hive does not match the journal of site.test."
    assert results(page)[CHECKPOINT] == (MISMATCH, reason)
    assert blocked(page) == f"Signing is disabled. {reason}"


def test_one_node_s_word_does_not_stop_signing(exchange: Exchange) -> None:
    exchange.nodes[0].publish(4800, "e" * 64)
    exchange.nodes[1].publish(4800, true_hash(4800))
    page = exchange.open()
    confirmed = "node-one.test shows a checkpoint that other Hive nodes do not confirm."
    assert results(page)[CHECKPOINT] == (UNKNOWN, confirmed)
    assert blocked(page) == ""


def test_only_checkpoints_of_the_pinned_accounts_for_this_venue_count(exchange: Exchange) -> None:
    exchange.own.venue = venue(venue_hash=VENUE_HASH, checkpoint_account="mallory", operator="mallory")
    node = exchange.nodes[0]
    node.publish(4900, "e" * 64, account="mallory")
    node.publish(4901, "e" * 64, id="another")
    node.publish(4902, "e" * 64, required_auths=[], required_posting_auths=["peakedex"])
    node.publish(4903, "E" * 64)
    node.publish(4904, "e" * 64, json="no JSON {")
    node.publish(9000, "e" * 64)  # of a block that the API has not reached
    node.publish(4700, true_hash(4700))
    page = exchange.open()
    assert results(page)[CHECKPOINT][0] == MATCH
    assert (
        page.locator("#integrity tbody tr", has_text=CHECKPOINT).locator("td").nth(2).inner_text() == "4,700"
    )


def test_checkpoints_are_read_once_in_a_while_and_by_the_first_node_that_answers(exchange: Exchange) -> None:
    exchange.nodes[0].is_silent = True
    exchange.nodes[1].publish(4800, true_hash(4800))
    page = exchange.open()
    assert results(page)[CHECKPOINT][0] == MATCH
    asked = exchange.nodes[1].asked
    again(page)
    assert results(exchange.open())[CHECKPOINT][0] == MATCH  # another page of the same browser
    assert exchange.nodes[1].asked == asked


def test_without_checkpoints_or_nodes_the_page_says_so(exchange: Exchange) -> None:
    assert results(exchange.open())[CHECKPOINT] == (UNKNOWN, "None published recently.")
    exchange.context.clear_cookies()
    for node in exchange.nodes:
        node.is_silent = True
    page = exchange.open()
    page.evaluate("localStorage.clear()")
    again(page)
    assert results(page)[CHECKPOINT] == (UNKNOWN, "No Hive node answers.")


# -- pins --------------------------------------------------------------------------------------------


def test_without_pins_the_page_works_and_says_so(exchange: Exchange) -> None:
    exchange.pins = None
    page = exchange.open()
    result, text = results(page)["Venue file"]
    assert result == "Not pinned"
    assert "accepts any venue and escrow accounts" in text
    assert blocked(page) == ""


def tokens(**escrows: str) -> list[dict[str, Any]]:
    """The venue's tokens with other escrow accounts."""
    return [{**token, "escrow": escrows.get(token["symbol"], token["escrow"])} for token in venue()["tokens"]]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"venue_hash": "b" * 64}, "another venue"),
        ({"tokens": tokens(HBD="mallory")}, "@mallory as the escrow account of HBD"),
        ({"tokens": tokens(HBD="peakedex.pek")}, "@peakedex.pek as the escrow account of HBD"),
        ({"contract": "market"}, "another contract"),
        ({"custom_json_id": "ssc-mainnet-test"}, "another contract"),
        ({"tokens": None}, "No valid answer"),
    ],
)
def test_an_api_that_does_not_fit_the_pins_is_refused(
    exchange: Exchange, changes: dict[str, Any], named: str
) -> None:
    exchange.own.venue = {**venue(venue_hash=VENUE_HASH), **changes}
    exchange.apis = ["api/"]  # a slow machine would ask the next one
    page = exchange.open()
    assert named in results(page)["Venue file"][1]
    if named != "No valid answer":
        assert "site.test" in blocked(page)
        expect(page.locator(".banner.danger", has_text=named)).to_be_visible()


def test_a_token_that_was_listed_later_may_use_a_pinned_account(exchange: Exchange) -> None:
    later = {**venue()["tokens"][0], "symbol": "LATER"}
    exchange.own.venue = venue(venue_hash=VENUE_HASH, tokens=[*venue()["tokens"], later])
    assert results(exchange.open())["Venue file"][0] == MATCH
    exchange.own.venue["tokens"][-1]["escrow"] = "mallory"
    assert results(exchange.open())["Venue file"][0] == MISMATCH


DEPOSIT = {"contractName": "tokens", "contractAction": "transfer"}


@pytest.mark.parametrize(
    ("draft", "is_signed"),
    [
        ({"kind": "transfer", "to": "peakedex.hbd", "symbol": "HBD"}, True),
        ({"kind": "transfer", "to": "peakedex.coin", "symbol": "HBD"}, False),
        ({"kind": "transfer", "to": "mallory", "symbol": "HIVE"}, False),
        ({"id": "another", "actions": {"contractName": "peakedex"}}, False),
        ({"actions": {"contractName": "market", "contractAction": "buy"}}, False),
        ({"actions": {**DEPOSIT, "contractPayload": {"symbol": "PEK", "to": "peakedex.pek"}}}, True),
        ({"actions": [{**DEPOSIT, "contractPayload": {"symbol": "PEK", "to": "mallory"}}]}, False),
        (
            {
                "actions": [
                    {"contractName": "peakedex"},
                    {"contractName": "tokens", "contractAction": "stake"},
                ]
            },
            False,
        ),
    ],
)
def test_what_is_signed_is_compared_with_the_pins(
    exchange: Exchange, draft: dict[str, Any], is_signed: bool
) -> None:
    """Whatever an API said before: its first answers may have been true."""
    page = exchange.open()
    results(page)
    draft = {
        "kind": "custom_json",
        "id": "ssc-mainnet-hive",
        "json": json.dumps(draft.get("actions")),
        **draft,
    }
    reason = page.evaluate(
        "(draft) => import('/js/data/integrity.js').then((module) => module.signingBlocked(draft))", draft
    )
    assert (reason == "") == is_signed


def test_deposits_are_refused_with_the_reason(exchange: Exchange, context: BrowserContext) -> None:
    exchange.own.venue = venue(venue_hash=VENUE_HASH, tokens=tokens(HBD="mallory"))
    context.add_init_script("localStorage.setItem('peakedex.account', 'alice');")
    context.add_init_script(path=Path(__file__).parent / "keychain.js")
    page = exchange.open("transfer.html?symbol=HBD")
    page.locator("#transfer-amount").fill("1")
    page.get_by_role("button", name=re.compile("^Deposit 1")).click()
    dialog = page.get_by_role("dialog", name="Not signed")
    expect(dialog).to_contain_text("site.test names @mallory as the escrow account of HBD")
    expect(dialog.get_by_role("link", name="Open the audit")).to_have_attribute(
        "href", "audit.html#integrity"
    )


def test_nothing_that_the_review_did_not_see_reaches_the_wallet(
    exchange: Exchange, context: BrowserContext
) -> None:
    """The wallet's module compares once more what it is given."""
    context.add_init_script(path=Path(__file__).parent / "keychain.js")
    page = exchange.open()
    results(page)
    draft = {
        "kind": "transfer",
        "account": "alice",
        "to": "mallory",
        "amount": "1.000",
        "symbol": "HIVE",
        "memo": "",
    }
    answer = page.evaluate("(draft) => import('/js/wallet/wallet.js').then(({ sign }) => sign(draft))", draft)
    assert (answer["ok"], answer["reason"]) == (False, "blocked")
    assert "@mallory is not an escrow account" in answer["message"]
    assert page.evaluate("standIn.asked") == []


# -- failover ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["silent", 503, 502])
def test_the_next_api_takes_over(exchange: Exchange, failure: str | int) -> None:
    if failure == "silent":
        exchange.own.is_silent = True
    else:
        exchange.own.status = int(failure)
    page = exchange.open()
    assert results(page)["site.test"][0] == UNKNOWN  # compared with the others, as these are with each other
    assert results(page)["third.test"][0] == MATCH
    expect(page.locator("#integrity")).to_contain_text(f"This page reads {OTHER}/api/.")
    before = len(exchange.own.asked)
    page = exchange.open("transfer.html")  # a new page begins with the one that answered
    expect(page.locator("#transfer-token")).to_be_visible()
    assert len(exchange.own.asked) == before


def test_live_data_comes_from_the_next_api(exchange: Exchange) -> None:
    """A dead stream makes the page poll at once, and so find the API that answers."""
    exchange.own.is_silent = True
    page = exchange.open("index.html")
    expect(page.locator(".dot.polling")).to_be_visible()
    expect(page.locator(".status-bar")).to_contain_text("5,000")
    assert not exchange.own.asked
    exchange.own.is_silent = False
    exchange.other.is_silent = True
    expect(page.locator(".dot.polling")).to_be_visible()
    again(page)
    again(page)
    assert page.evaluate("import('/js/data/api.js').then(({ apiInUse }) => apiInUse())") == f"{THIRD}/api/"


def test_a_refused_request_is_no_reason_to_change_the_api(exchange: Exchange) -> None:
    page = exchange.open()
    results(page)
    page.evaluate("import('/js/data/api.js').then(({ read }) => read('nothing').catch(() => {}))")
    assert page.evaluate("import('/js/data/api.js').then(({ apiInUse }) => apiInUse())") == f"{SITE}/api/"


def test_garbled_memory_of_the_api_in_use_is_discarded(exchange: Exchange, context: BrowserContext) -> None:
    context.add_init_script(
        "localStorage.setItem('peakedex.api', JSON.stringify({ url: 'https://mallory.test/', ts: Date.now() }));"
        "localStorage.setItem('peakedex.checkpoints', '{\"venue\": 5, \"checkpoints\": 7}');"
    )
    page = exchange.open()
    assert results(page)["other.test"][0] == MATCH
    expect(page.locator("#integrity")).to_contain_text(f"This page reads {SITE}/api/.")
