"""Pages request all modules of a step before the first of them arrives: a step costs one round trip."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Route

from tests.browser.watch import Watch, until
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
