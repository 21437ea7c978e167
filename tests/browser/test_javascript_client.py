"""The JavaScript client in Chromium: the same package as in Node, signing with a wallet that has Keychain's interface."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from playwright.sync_api import BrowserContext, Route

from tests.browser.practice import use_practice_account
from tests.browser.world import World
from tests.system.clients.test_javascript import installed

TRADE = """async ([account, site]) => {
  const { keychainSigner, Market, SigningError, Trader } = await import("/client/index.js");
  const { connect } = await import("/js/wallet/practice-wallet.js");
  const api = new Market(site);
  const trader = new Trader({
    api, account, nodes: [`${site}/api/devnet/rpc`], signer: keychainSigner(await connect()), expiresIn: 600,
  });
  const draft = await trader.limit("sell", "PEK/SWAP.HIVE", { quantity: "3.50", price: "0.9" });
  const ticket = await trader.wait(await trader.place(draft, { ref: "from-chromium" }));
  const again = await trader.place(draft, { ref: "from-chromium" });
  let first = null;
  for await (const message of api.stream([`account:${account}`])) {
    first = message;
    break;
  }
  const refusing = { requestCustomJson: (...all) => all.at(-1)({ success: false, error: "user_cancel" }) };
  const other = new Trader({ api, account, nodes: [`${site}/api/devnet/rpc`], signer: keychainSigner(refusing) });
  const refused = await other.place(draft).catch((error) => error instanceof SigningError && error.message);
  return {
    state: ticket.state, price: ticket.order.price, quantity: ticket.order.quantity, ref: ticket.order.ref,
    same: again.id === ticket.id, kind: first.kind, seen: JSON.stringify(first.data).includes(ticket.id), refused,
  };
}"""


def test_an_order_is_signed_followed_and_seen_in_the_stream(
    context: BrowserContext, world: World, tmp_path: Path
) -> None:
    package = installed(tmp_path) / "node_modules" / "peakedex-client"

    def answer(route: Route) -> None:
        file = package / route.request.url.split("/client/", 1)[1]
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        route.fulfill(body=file.read_bytes(), content_type=kind)

    context.route(f"{world.site}/client/**", answer)
    name = use_practice_account(context, world)
    page = context.new_page()
    page.goto(f"{world.site}/index.html")
    assert page.evaluate(TRADE, [name, world.site]) == {
        "state": "open",
        "price": "0.900000",
        "quantity": "3.50000000",
        "ref": "from-chromium",
        "same": True,
        "kind": "snapshot",
        "seen": True,
        "refused": "cancelled in Hive Keychain",
    }
