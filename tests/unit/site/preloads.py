"""The links by which a page requests its modules at once, instead of a round trip for each level of imports.

`python -m tests.unit.site.preloads` writes them into the pages; the tests compare.

The head preloads the prefetch's modules. Its template `early`, which `shell/head.js` puts into the document once the
styles are on their way, preloads what else the page's script imports. The template `later`, which that script puts into
the document, preloads what the module in its `data-module` adds.
"""

from __future__ import annotations

import re
from typing import Final

from tests.unit.site.modules import SITE, loaded, text

PAGES: Final = sorted(page.name for page in SITE.glob("*.html"))
PREFETCH: Final = "js/data/prefetch.js"
PREFETCH_SCRIPT: Final = f'<script type="module" async src="{PREFETCH}"></script>'

_HEAD: Final = re.compile(
    rf'(?:  <link rel="modulepreload"[^>]*>\n)*  {PREFETCH_SCRIPT}\n'
    r'  <template id="early">\n(?:    <link[^>]*>\n)*  </template>\n'
)
_LATER: Final = re.compile(
    r'(  <template id="later" data-module="([^"]+)">\n)(?:    <link[^>]*>\n)*(  </template>\n)'
)


def page_module(page: str) -> str:
    """The module that a page runs."""
    (module,) = re.findall(r'<script type="module" src="([^"]+)"', text(page))
    return str(module)


def later_module(page: str) -> str | None:
    """The module that a page imports after its first paint."""
    found = _LATER.search(text(page))
    return found[2] if found else None


def early(page: str) -> set[str]:
    """All modules that load before a page's own one runs, and itself."""
    return loaded(page_module(page))


def later(page: str) -> set[str]:
    """All modules that the import after the first paint adds."""
    module = later_module(page)
    return loaded(module) - early(page) if module else set()


def with_preloads(page: str) -> str:
    """A page's text with the links that belong in it."""
    first = loaded(PREFETCH) - {PREFETCH}
    others = _links(early(page) - first - {page_module(page)}, "    ")
    head = f'{_links(first)}  {PREFETCH_SCRIPT}\n  <template id="early">\n{others}  </template>\n'
    html = _HEAD.sub(lambda _: head, text(page), count=1)
    links = _links(later(page), "    ", ' fetchpriority="low"')
    return _LATER.sub(lambda found: found[1] + links + found[3], html)


def _links(modules: set[str], indent: str = "  ", extra: str = "") -> str:
    return "".join(f'{indent}<link rel="modulepreload" href="{name}"{extra}>\n' for name in sorted(modules))


if __name__ == "__main__":
    for name in PAGES:
        (SITE / name).write_text(with_preloads(name), "utf-8")
