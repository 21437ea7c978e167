"""The practice wallet signs with the active and with the posting key, as Hive Keychain does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.practice import use_practice_account
from tests.browser.test_trading import TRADE, OpenPage
from tests.browser.watch import until
from tests.browser.world import World
from tests.support.waiting import wait_until

SIGN = """([name, method, json]) => import('./js/wallet/practice-wallet.js')
    .then((module) => module.connect())
    .then((wallet) => new Promise((answer) => wallet.requestCustomJson(name, 'ssc-mainnet-hive', method, json, 'test', answer)))
"""


@pytest.mark.parametrize(
    ("method", "outcome"), [("Active", "accepted"), ("Posting", "E_AUTH"), ("Memo", "incomplete")]
)
def test_the_method_chooses_the_key(
    watched: OpenPage, context: BrowserContext, world: World, method: str, outcome: str
) -> None:
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    until(page, "document.querySelector('.dot.live') !== null")
    element = {"contractName": "peakedex", "contractAction": "cancelAll", "contractPayload": {"ref": method}}
    answer: dict[str, Any] = page.evaluate(SIGN, [name, method, json.dumps(element)])
    if outcome == "incomplete":
        assert (answer["success"], answer["error"]) == (False, "incomplete")
        return
    assert answer["success"] is True, answer
    asked = f"intents?user={name}&ref={method}"
    [row] = wait_until(lambda: world.get(asked)["intents"], what=lambda: asked, poll=0.1)
    assert row["status" if outcome == "accepted" else "code"] == outcome
