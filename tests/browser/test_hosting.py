"""A build of the site, with pins, in a sub-path of a plain static server, with the API beside it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import open_context
from tests.browser.practice import toast
from tests.browser.watch import Watch, until
from tests.browser.world import World
from tests.support.waiting import TIMEOUT_SECONDS
from tests.system.cli.command import OK, peakedex

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
UNDER = "/some/where/dex"


@pytest.fixture
def host(world: World, tmp_path: Path) -> Iterator[str]:
    """Python's static file server, with `<folder>/api/…` proxied to the API, and the site of `peakedex site build`."""
    site = tmp_path / "site"

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, directory=str(site), **more)

        def do_GET(self) -> None:
            self._pass_on() if self.path.startswith(f"{UNDER}/api/") else super().do_GET()

        def do_POST(self) -> None:
            self._pass_on()

        def translate_path(self, path: str) -> str:
            if not path.startswith(UNDER + "/"):
                return str(site / "no such file")
            return super().translate_path(path.removeprefix(UNDER))

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            request = Request(world.site + self.path.removeprefix(UNDER), data=body, method=self.command)
            try:
                with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.headers["Content-Type"])
                    self.end_headers()
                    while part := answer.read1():
                        self.wfile.write(part)
            except OSError:
                self.send_error(HTTPStatus.BAD_GATEWAY)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}{UNDER}"
    node = f"{address}/api/devnet/rpc"  # also a pinned page asks it: that network has no other
    run = peakedex("site", "build", "--venue", world.venue_file, "--hive-node", node, "--out", site)
    assert run.code == OK, run.err
    yield address
    server.shutdown()
    server.server_close()


def test_the_site_works_in_a_sub_path_of_a_static_host(browser: Browser, world: World, host: str) -> None:
    with open_context(browser) as context:
        tour(context, world, host)


def tour(context: BrowserContext, world: World, host: str) -> None:
    """All screens, and an order signed with a practice account."""
    page = context.new_page()
    watch = Watch(page, host)
    page.goto(f"{host}/")
    until(page, "document.querySelector('.dot.live') !== null")
    expect(page.locator("main")).to_contain_text("PEK")
    for path in (
        "trade.html?base=PEK&quote=SWAP.HIVE",
        "audit.html",
        "account.html?user=ada.bot",
        "transfer.html",
    ):
        page.goto(f"{host}/{path}")
        until(page, "document.querySelector('.dot.live') !== null")
    page.goto(f"{host}/audit.html")
    pinned = page.locator("#integrity tbody tr", has_text="Venue file")
    expect(pinned).to_contain_text("✓ Match")
    page.goto(f"{host}/pairs/pair.html?base=PEK&quote=SWAP.HIVE")
    page.wait_for_url(f"{host}/trade.html?base=PEK&quote=SWAP.HIVE")
    name = page.evaluate("import('./js/wallet/practice-wallet.js').then((module) => module.start())")
    world.wait(f"balances?user={name}", lambda body: body["balances"])
    page.reload()
    page.locator("#ticket-price").fill("0.000295")
    page.locator("#ticket-amount").fill("3")
    page.locator("#ticket").get_by_role("button", name="Buy PEK").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    toast(page, "Order placed: Buy 3.00 PEK")
    watch.check()


def test_all_addresses_are_relative() -> None:
    """Imports and links are relative."""
    own = [
        path
        for path in FRONTEND.rglob("*")
        if path.suffix in (".js", ".html", ".css") and "vendor" not in path.parts
    ]
    assert len(own) > 30
    for path in own:
        text = path.read_text("utf-8")
        for start in ('from "', 'import("', 'src="', 'url("', "url("):
            for piece in text.split(start)[1:]:
                address = piece.split('"')[0].split(")")[0]
                if start in ('from "', 'import("') and path.suffix != ".js":
                    continue
                assert not address.startswith(("http:", "https:", "//", "/")), f"{path.name}: {address}"
