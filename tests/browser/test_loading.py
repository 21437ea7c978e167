"""Pages request all modules of a step before the first of them arrives: a step costs one round trip."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.browser.watch import Watch, routed, until
from tests.browser.world import World
from tests.unit.site.preloads import early, later


@pytest.mark.parametrize(
    ("page", "query", "shown"),
    [
        ("trade.html", "?base=PEK&quote=SWAP.HIVE", "#ticket input"),
        ("account.html", "?user={trader}", "#grants-title"),
    ],
)
def test_a_step_of_modules_is_one_round_trip(
    context: BrowserContext,
    watched: Callable[..., Watch],
    world: World,
    page: str,
    query: str,
    shown: str,
) -> None:
    """No module is answered before all of its step are requested, so one that only an import names never would be."""
    requested: list[str] = []
    steps = [(set(modules), list[Route]()) for modules in (early(page), later(page))]

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{world.site}/")
        requested.append(name)
        for missing, held in steps:
            if name in missing:
                missing.remove(name)
                held.append(route)
                if not missing:
                    for one in held:
                        one.continue_()
                return
        route.continue_()

    context.route("**/*.js", answer)
    watch = watched(page + query.format(trader=world.bots.traders[0].name))
    until(watch.page, f"document.querySelector('{shown}') !== null")
    assert len(requested) == len(set(requested))


def test_a_module_that_cannot_be_fetched_on_a_click_is_reported(
    context: BrowserContext, watched: Callable[..., Watch]
) -> None:
    """As when the network fails, or the site is updated, between opening the page and a click."""
    with routed(context, "**/account-dialog.js", lambda route: route.abort()):
        watch = watched("trade.html?base=PEK&quote=SWAP.HIVE")
        page = watch.page
        reporter = "js/shell/load-failures.js"
        until(
            page, "(name) => performance.getEntriesByName(new URL(name, location.href)).length > 0", reporter
        )
        page.evaluate(f"import('./{reporter}').then(() => null)")  # not before the page's own import of it
        choose = page.get_by_role("button", name="Choose account").first
        choose.click()
        expect(page.get_by_text("Part of the page was not loaded")).to_be_visible()
    with page.expect_navigation():  # else the next click may meet the old page
        page.get_by_role("button", name="Reload", exact=True).click()
    choose.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    watch.troubles.clear()  # the failed request
