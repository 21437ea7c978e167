"""js/data/account-history.js: trades of an account take one request; a trade with itself gives two rows."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext

from tests.browser.conftest import serve_files

ORIGIN = "https://site.test"
TRADE = {"id": 9, "price": "1", "amount": "2", "quote_amount": "2", "buyer_fee": "0.1", "seller_fee": "0.2"}
TRADES = [
    {**TRADE, "base": "PEK", "quote": "HBD", "side": "sell", "role": "both"},
    {**TRADE, "id": 8, "base": "PEK", "quote": "HBD", "side": "buy", "role": "maker"},
]


def test_an_account_s_trades_are_asked_for_once(context: BrowserContext) -> None:
    asked: list[str] = []

    def api(path: str) -> Any:
        asked.append(path)
        return {"trades": TRADES} if path.startswith("history?") else None

    serve_files(context, ORIGIN, api)
    page = context.new_page()
    page.goto(f"{ORIGIN}/blank.html")
    rows = page.evaluate(
        """async () => {
          const { readTradeHistory } = await import("/js/data/account-history.js");
          return await readTradeHistory("alice", { base: "PEK", quote: "HBD" });
        }"""
    )
    shown = [(row["id"], row["side"], row["role"], row["fee"]) for row in rows]
    assert shown == [(9, "sell", "taker", "0.2"), (9, "buy", "maker", "0.1"), (8, "buy", "maker", "0.1")]
    assert asked == ["history?user=alice&limit=100&base=PEK&quote=HBD"]
