"""Pages that sign with a practice account."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.world import World


def use_practice_account(context: BrowserContext, world: World) -> str:
    """Create a practice account that all pages of this context sign with."""
    name = world.trader()
    context.add_init_script(
        f"if (!localStorage.getItem('peakedex.account')) {{ localStorage.setItem('peakedex.account', '{name}');"
        " localStorage.setItem('peakedex.wallet', 'practice'); }"
    )
    return name


def toast(page: Page, text: str) -> None:
    """Wait for a toast whose title begins with the text."""
    expect(page.locator(".toast .title", has_text=re.compile(f"^{re.escape(text)}")).first).to_be_visible()
