"""js/wallet/wallet.js with a fake Hive Keychain: every answer that the extension can give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import open_context, serve_files
from tests.browser.venue import venue
from tests.browser.watch import until
from tests.support.waiting import wait_until

STAND_IN = (Path(__file__).parent / "keychain.js").read_text("utf-8")
ID = "ab" * 20
ORDER = (
    "limitOrder(venue, 'alice', { side: 'buy', base: 'PEK', quote: 'SWAP.HIVE', lots: 100n, ticks: 12345n })"
)
COIN = "deposit(venue, 'alice', { symbol: 'HIVE', units: 1500n })"
OK = {"success": True, "result": {"tx_id": ID, "id": ID, "confirmed": False}}

SETUP = """async ([venue]) => {
  const intents = await import("/js/wallet/intents.js");
  window.wallet = await import("/js/wallet/wallet.js");
  window.draft = (make) => new Function("venue", "intents", `with (intents) { return ${make}; }`)(venue, intents);
  window.phases = [];
  window.ask = (draft, options = {}) => wallet.sign(draft, { onPhase: (phase) => phases.push(phase), ...options });
}"""

OpenPage = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[OpenPage]:
    """Open pages with the fake Keychain, injected after `late` ms; None: never. With `clock` their time stands still."""
    contexts = ExitStack()

    def open_page(*, origin: str = "https://site.test", late: int | None = 300, clock: bool = False) -> Page:
        context = contexts.enter_context(open_context(browser))
        serve_files(context, origin)
        context.add_init_script(f"window.keychainAfter = {'null' if late is None else late};")
        context.add_init_script(STAND_IN)
        page = context.new_page()
        if clock:
            page.clock.install(time=0)
            page.clock.pause_at(1000)
        page.goto(f"{origin}/blank.html")
        page.evaluate(SETUP, [venue()])
        return page

    with contexts:
        yield open_page


def sign(page: Page, *answers: Any, make: str = ORDER) -> dict[str, Any]:
    """Sign a draft with these answers of Keychain, and return the wallet's answer."""
    page.evaluate("(answers) => { standIn.answers = answers; }", list(answers))
    answer: dict[str, Any] = page.evaluate("(make) => ask(draft(make))", make)
    return answer


def asked(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("standIn.asked")
    return found


def test_late_injection_is_detected(opened: OpenPage) -> None:
    page = opened(late=700, clock=True)
    assert page.evaluate("typeof hive_keychain") == "undefined"
    page.evaluate("void wallet.detect().then((state) => { window.found = state; })")
    page.clock.run_for(500)
    assert page.evaluate("window.found") is None
    page.clock.run_for(500)
    until(page, "window.found")
    assert page.evaluate("window.found") == "ready"


def test_a_missing_extension_is_reported_after_two_seconds(opened: OpenPage) -> None:
    page = opened(late=None, clock=True)
    page.evaluate("void wallet.detect().then((state) => { window.found = state; })")
    page.clock.run_for(1950)
    assert page.evaluate("window.found") is None
    page.clock.run_for(150)
    until(page, "window.found")
    assert page.evaluate("window.found") == "missing"
    page.evaluate("(make) => void ask(draft(make)).then((answer) => { window.given = answer; })", ORDER)

    def given() -> Any:
        page.clock.run_for(500)
        return page.evaluate("window.given")

    answer = wait_until(given)
    assert (answer["ok"], answer["reason"]) == (False, "missing")
    assert "Install it" in answer["hint"]


def test_an_extension_without_handshake_is_silent(opened: OpenPage) -> None:
    page = opened(late=0)
    page.evaluate("standIn.handshake = false")
    assert page.evaluate("wallet.detect()") == "silent"
    page.evaluate("standIn.handshake = true")
    assert page.evaluate("wallet.detect()") == "ready"


def test_pages_from_a_file_cannot_sign(context: BrowserContext) -> None:
    """Modules do not load from file:, so the test serves the module with another protocol in it."""
    wallet = (Path(__file__).parents[2] / "frontend/js/wallet/wallet.js").read_text("utf-8")
    assert 'location.protocol === "file:"' in wallet
    serve_files(context, "https://site.test")
    context.route(
        "https://site.test/js/wallet/wallet.js",
        lambda route: route.fulfill(
            body=wallet.replace("location.protocol", '"file:"'), content_type="text/javascript"
        ),
    )
    page = context.new_page()
    page.goto("https://site.test/blank.html")
    page.evaluate(SETUP, [venue()])
    assert page.evaluate("wallet.detect()") == "file"
    answer = page.evaluate("(make) => ask(draft(make))", ORDER)
    assert "http://localhost" in answer["hint"]


def test_the_custom_json_request_of_an_order(opened: OpenPage) -> None:
    page = opened()
    assert sign(page, OK) == {"ok": True, "txId": ID, "multisig": False}
    [request] = asked(page)
    assert (request["type"], request["username"], request["method"]) == ("custom", "alice", "Active")
    assert request["id"] == "ssc-mainnet-hive"
    assert isinstance(request["json"], str)
    assert request["display_msg"].startswith("Peake DEX: BUY 1.00 PEK at 0.012345 SWAP.HIVE")
    assert request.get("rpc") is None
    assert page.evaluate("phases") == ["waiting"]


def test_the_transfer_request_of_a_coin_deposit(opened: OpenPage) -> None:
    page = opened()
    assert sign(page, OK, make=COIN)["ok"]
    [request] = asked(page)
    wanted = {
        "type": "transfer",
        "username": "alice",
        "to": "peakedex.coin",
        "amount": "1.500",
        "currency": "HIVE",
    }
    assert {key: request[key] for key in wanted} == wanted
    assert request["enforce"] is True
    assert request["memo"] == ""


def test_cancelled(opened: OpenPage) -> None:
    answer = sign(opened(), {"error": "user_cancel", "message": "Request was canceled by the user."})
    assert (answer["reason"], answer["message"]) == ("cancelled", "Nothing happened.")
    assert "active key of @alice" in answer["hint"]


def test_an_incomplete_request_has_a_report_id(opened: OpenPage) -> None:
    answer = sign(opened(), {"error": "incomplete", "message": "ValidationError: <i>secret</i> at Joi.any"})
    assert answer["reason"] == "malformed"
    assert "report it with the ID " in answer["message"]
    assert "Validation" not in answer["message"]


@pytest.mark.parametrize(
    ("said", "reason", "message"),
    [
        (
            {"error": {"name": "RPCError"}, "message": "Error : <br>transaction expiration exception"},
            "refused",
            "clock",
        ),
        ({"error": {}, "message": "Error : <b>alice</b> has not enough RC"}, "refused", "resource credits"),
        (
            {"error": {"message": "Account alice already submitted 5 custom json operation(s) this block."}},
            "refused",
            "five such",
        ),
        (
            {"error": {}, "message": "Error : Account alice does not have sufficient funds"},
            "refused",
            "Insufficient wallet balance",
        ),
        ({"error": {}, "message": "missing required active authority"}, "refused", "active key"),
        (
            {"error": {"message": "Assert Exception:<script>alert(1)</script>"}},
            "refused",
            "Rejected by the Hive node.",
        ),
        ({"error": {"message": "Duplicate transaction check failed"}}, "unclear", "no clear answer"),
        ({"error": {}}, "unclear", "no clear answer"),
        # Of five whitelisted requests at once Keychain answered four so, and all five were in the block.
        ({"error": "ignored", "message": "User ignored this transaction"}, "unclear", "no clear answer"),
        ({"error": {}, "message": "Failed to fetch"}, "unclear", "no clear answer"),
        ({"error": {"message": "Request timeout"}, "message": "timeout"}, "unclear", "no clear answer"),
        ({"error": "no_wallet", "message": "no wallet"}, "no_wallet", "not set up"),
        # It says so before it broadcasts: with an empty error, unlike a node, and in the language of the browser.
        (
            {"error": {}, "message": "An error occured while signing the transaction"},
            "unsigned",
            "Nothing was sent",
        ),
        ({"error": {}, "message": "Fehler beim Signieren der Transaktion"}, "unsigned", "Nothing was sent"),
        (
            {"error": {}, "message": "Ocurrió un error al firmar la transacción"},
            "unsigned",
            "Nothing was sent",
        ),
        ({"error": {}, "message": "Gagal menandatangani transaksi"}, "unsigned", "Nothing was sent"),
        ({"error": {}, "message": "Error while broadcasting the transaction"}, "unclear", "no clear answer"),
        ({"error": {}, "message": "Gagal menyiarkan transaksi"}, "unclear", "no clear answer"),
        (
            {"error": {"code": -32003}, "message": "irrelevant signature: missing authority"},
            "refused",
            "active key",
        ),
    ],
)
def test_node_errors(opened: OpenPage, said: dict[str, Any], reason: str, message: str) -> None:
    answer = sign(opened(), said)
    assert answer["reason"] == reason
    assert message in answer["message"]
    assert "<" not in answer["message"]


def test_multisig_has_no_id_yet(opened: OpenPage) -> None:
    answer = sign(opened(), {"success": True, "result": {"isUsingMultisig": True, "tx_id": ""}})
    assert answer == {"ok": True, "txId": None, "multisig": True}


@pytest.mark.parametrize("origin", ["https://site.test", "http://site.test"])
def test_one_request_at_a_time(opened: OpenPage, origin: str) -> None:
    """Also without the Web Locks API, which insecure pages do not have."""
    page = opened(origin=origin)
    assert page.evaluate("'locks' in navigator") == origin.startswith("https")
    page.evaluate("(ok) => { standIn.answers = [ok, ok, ok]; standIn.delay = 150; }", OK)
    most, done = page.evaluate(
        """async (make) => {
          let most = 0, done = 0;
          document.addEventListener("swRequest_hive", () => { most = Math.max(most, standIn.asked.length - done); });
          const one = () => ask(draft(make)).then((answer) => { done += answer.ok; });
          await Promise.all([one(), one(), one()]);
          return [most, done];
        }""",
        ORDER,
    )
    assert (most, done) == (1, 3)
    assert len(asked(page)) == 3


def test_another_tab_waits_for_its_turn(opened: OpenPage) -> None:
    first = opened()
    second = first.context.new_page()
    second.goto(first.url)
    second.evaluate(SETUP, [venue()])
    first.evaluate(
        "(make) => { standIn.answers = ['silent']; window.control = new AbortController(); window.one = ask(draft(make), { giveUp: control.signal }); }",
        ORDER,
    )
    until(first, "standIn.asked.length === 1")
    second.evaluate("([make, ok]) => { standIn.answers = [ok]; window.two = ask(draft(make)); }", [ORDER, OK])
    second.wait_for_timeout(400)
    assert asked(second) == []
    first.evaluate("control.abort()")
    assert second.evaluate("two")["ok"]


def test_answers_to_other_requests_are_ignored(opened: OpenPage) -> None:
    """An answer to a request of the previous page arrives first, then the right one."""
    old = {**OK, "result": {"tx_id": "cd" * 20}, "request": {"json": "{}"}}
    page = opened()
    assert sign(page, [old, OK])["txId"] == ID
    other = {**OK, "result": {"tx_id": "cd" * 20}, "request": {"username": "mallory"}}
    assert sign(page, [other, other, OK])["txId"] == ID


def test_requests_are_numbered_from_a_random_start(opened: OpenPage) -> None:
    numbers = set()
    for _ in range(3):
        page = opened(late=0)
        sign(page, OK)
        numbers.add(asked(page)[0]["request_id"])
    assert len(numbers) == 3
    assert all(number >= 1_000_000 for number in numbers)


def test_a_hidden_window_becomes_slow_then_stuck(opened: OpenPage) -> None:
    page = opened(clock=True)
    page.clock.run_for(500)
    assert page.evaluate("wallet.detect()") == "ready"
    page.evaluate(
        "(make) => { standIn.answers = ['silent']; window.control = new AbortController();"
        " window.asking = ask(draft(make), { giveUp: control.signal }).then((answer) => { window.given = answer; }); }",
        ORDER,
    )
    until(page, "standIn.asked.length === 1")  # else it would be queued once the clock runs
    page.clock.run_for(19_900)
    assert page.evaluate("phases") == ["waiting"]
    page.clock.run_for(200)
    assert page.evaluate("phases") == ["waiting", "slow"]
    page.clock.run_for(40_000)
    assert page.evaluate("phases") == ["waiting", "slow", "stuck"]
    page.evaluate("control.abort()")
    until(page, "window.given")
    assert page.evaluate("given.reason") == "given_up"
    # It was signed all the same, later.
    page.evaluate(
        "(ok) => { wallet.onLateAnswer((request, answer) => { window.late = [request.json, answer.txId]; });"
        " standIn.answer(standIn.asked[0], ok); }",
        OK,
    )
    page.clock.run_for(100)
    until(page, "window.late")
    assert page.evaluate("late") == [asked(page)[0]["json"], ID]


def test_the_authority_of_a_draft_is_keychain_s_method(opened: OpenPage) -> None:
    page = opened()
    assert sign(page, OK, make=f"Object.assign({ORDER}, {{ authority: 'posting' }})")["ok"]
    assert sign(page, OK, make=f"Object.assign({ORDER}, {{ authority: 'active' }})")["ok"]
    assert [request["method"] for request in asked(page)] == ["Posting", "Active"]


def test_what_is_signed_is_decided_when_its_turn_comes(opened: OpenPage) -> None:
    page = opened()
    page.evaluate("(ok) => { standIn.answers = [ok, ok]; standIn.delay = 100; }", OK)
    problem = page.evaluate(
        """async (make) => {
          const first = ask(draft(make));
          const prepare = async (one) => ({ draft: { ...one, json: `${one.json} ${standIn.asked.length}` } });
          const second = ask(draft(make), { prepare });
          await Promise.all([first, second]);
          return (await ask(draft(make), { prepare: async () => ({ problem: "too late" }) })).message;
        }""",
        ORDER,
    )
    assert asked(page)[1]["json"].endswith("} 1")
    assert problem == "too late"
    assert len(asked(page)) == 2


def test_oversized_operations_are_refused(opened: OpenPage) -> None:
    page = opened()
    answer = page.evaluate(
        "(make) => { const one = draft(make); one.json = 'é'.repeat(4097); return ask(one); }", ORDER
    )
    assert answer["reason"] == "too_large"
    assert asked(page) == []
    assert (
        page.evaluate(
            "(make) => { const one = draft(make); one.json = 'é'.repeat(4096); standIn.answers = [{ error: 'user_cancel' }]; return ask(one); }",
            ORDER,
        )["reason"]
        == "cancelled"
    )


def test_one_module_uses_the_extension() -> None:
    folder = Path(__file__).parents[2] / "frontend"
    named = [path.name for path in folder.glob("js/*/*.js") if "hive_keychain" in path.read_text("utf-8")]
    assert named == ["wallet.js"]
