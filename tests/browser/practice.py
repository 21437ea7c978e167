"""Pages that sign with a practice account."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page

from tests.browser.watch import until
from tests.browser.world import World


def use_practice_account(context: BrowserContext, world: World) -> str:
    """Create a practice account that all pages of this context sign with."""
    name = world.trader()
    context.add_init_script(
        f"if (!localStorage.getItem('peakedex.account')) {{ localStorage.setItem('peakedex.account', '{name}');"
        " localStorage.setItem('peakedex.wallet', 'practice'); }"
    )
    return name


def toast(page: Page, title: str) -> str:
    """Wait for a toast whose title begins so, and return its text. Each one counts once, also if it is gone by now."""
    text: list[str] = until(
        page,
        """(start) => {
          const at = toastsSeen.findIndex(([title]) => title.startsWith(start));
          return at >= 0 && toastsSeen.splice(at, 1)[0];
        }""",
        title,
    )
    return " ".join(text)
