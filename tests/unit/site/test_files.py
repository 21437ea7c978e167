"""The site's files: what each page loads, its size budget, and what no file may contain."""

from __future__ import annotations

import gzip
import json
import re
from typing import Final

import pytest

from tests.unit.site.modules import MODULES, SITE, dynamic_imports, loaded, named_imports, text
from tests.unit.site.preloads import (
    PAGES,
    PREFETCH,
    PREFETCH_SCRIPT,
    early,
    later,
    later_module,
    with_preloads,
)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' https:; base-uri 'none'; form-action 'none'"
)
MAX_COMPRESSED: Final = 45 * 1024
MAX_RAW: Final = 150 * 1024
MAX_FILES: Final = 32
MAX_LATER_COMPRESSED: Final = 54 * 1024
MAX_LATER_FILES: Final = 30


def scripts(page: str) -> list[str]:
    return re.findall(r'<script[^>]* src="([^"]+)"', text(page))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_files_of_the_site_only(page: str) -> None:
    html = text(page)
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in html
    assert not re.search(r"<style|\sstyle=|\son\w+=|://", html)
    assert html.count("<script") == len(scripts(page)) == 3
    assert html.index("Content-Security-Policy") < html.index("<link") < html.index('type="module"')
    for name in re.findall(r'(?:href|src)="([^"#:]+)"', html):
        if not name.startswith("api/") and name != "./":
            assert (SITE / name).is_file(), f"{page} names {name}; `make site` makes the vendor folder"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_preloads_its_modules(page: str) -> None:
    """Two round trips for all modules, before and after the first paint; nested imports would cost one each."""
    html = text(page)
    assert html == with_preloads(page), "run `python -m tests.unit.site.preloads`, which writes the links"
    assert loaded(PREFETCH) - {PREFETCH} <= early(page), "the prefetch must load no module of its own"
    own = sorted(early(page) - loaded(PREFETCH))
    assert html.index(PREFETCH_SCRIPT) < html.index(f'href="{own[0]}"')
    importing = [name for name in early(page) if later_module(page) in dynamic_imports(name)]
    uses = [name for name in early(page) if "preloadLater();" in text(name)]
    assert importing == uses, "the module that imports the later one puts its links into the document"


@pytest.mark.parametrize("page", PAGES)
def test_the_script_of_the_head_does_not_block_the_parser_early(page: str) -> None:
    """It blocks the parser until it has loaded: it is requested first, and stands last, below the template that it uses."""
    head = text(page).partition("</head>")[0]
    lines = re.findall(r'<(?:link rel="(?:preload|modulepreload|stylesheet)"|script)[^>]*>', head)
    assert lines[0] == '<link rel="preload" href="js/shell/head.js" as="script">'
    assert lines[-2] == '<script src="js/shell/head.js">'


@pytest.mark.parametrize("page", PAGES)
def test_a_page_stays_within_its_size_budget(page: str) -> None:
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text(page))
    first = {page, *styles, *scripts(page), *early(page)}
    raw, compressed = sizes(first)
    assert raw <= MAX_RAW
    assert compressed <= MAX_COMPRESSED
    assert len(first) <= MAX_FILES
    _, compressed = sizes(later(page))
    assert compressed <= MAX_LATER_COMPRESSED
    assert len(later(page)) <= MAX_LATER_FILES


def sizes(names: set[str]) -> tuple[int, int]:
    """Bytes of files, as they are and compressed one by one."""
    files = [(SITE / name).read_bytes() for name in names]
    return sum(map(len, files)), sum(len(gzip.compress(file)) for file in files)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("js/strings/")])
def test_every_text_is_used(module: str) -> None:
    for section, body in re.findall(r"^export const (\w+) = \{\n(.*?)^\};", text(module), re.M | re.S):
        users = [
            text(user)
            for user in MODULES
            for names, source in named_imports(user)
            if source == module and any(re.fullmatch(rf"{section}(?: as \w+)?", name) for name in names)
        ]
        assert users, f"no module imports the texts of {section}"
        for key in re.findall(r"^  (\w+)[:,(]", body, re.M):
            assert any(re.search(rf"\.{key}\b|\"{key}\"|\[", user) for user in users), f"{section}.{key}"


@pytest.mark.parametrize("module", MODULES)
def test_text_never_becomes_markup_or_code(module: str) -> None:
    code = text(module)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc", code)
    assert not re.search(r"\beval\(|new Function|\balert\(|\bprompt\(|\bconfirm\(", code)
    assert not re.search(r"credentials: \"(?!omit)", code)


def test_one_module_uses_the_extension() -> None:
    assert [module for module in MODULES if "hive_keychain" in text(module)] == ["js/wallet/wallet.js"]


def test_vendored_files_have_their_licences() -> None:
    vendor = SITE / "vendor"
    licences = {
        "ibm-plex-sans": "SIL Open Font License",
        "lightweight-charts": "Apache License",
        "noble": "MIT",
    }
    for file in vendor.rglob("*"):
        owner = next((name for name in licences if str(file.relative_to(vendor)).startswith(name)), None)
        assert owner is not None, f"no known licence for {file.name}"
    for owner, licence in licences.items():
        files = [*vendor.glob(f"{owner}*LICENSE*"), *vendor.glob(f"{owner}/*LICENSE*")]
        assert files
        assert all(licence in file.read_text(encoding="utf-8") for file in files)
    assert "https://www.tradingview.com/" in text("vendor/lightweight-charts.NOTICE.txt")


def test_vendored_packages_are_pinned_by_hash() -> None:
    """And installed as the lock says, by every way that installs them."""
    root = SITE.parent
    packages = json.loads((root / "deploy/vendor/package-lock.json").read_text("utf-8"))["packages"]
    wanted = packages.pop("")["dependencies"]
    assert {f"node_modules/{name}" for name in wanted} <= set(packages)
    for package in packages.values():
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
    for name in ("Makefile", "Dockerfile"):
        installs = re.findall(r"\bnpm (ci|i|install|add)\b(.*)", (root / name).read_text("utf-8"))
        assert {(verb, "--ignore-scripts" in rest) for verb, rest in installs} == {("ci", True)}


def tokens(selector: str) -> dict[str, str]:
    (block,) = re.findall(
        rf"^{re.escape(selector)} \{{\n  color-scheme.*?\n\}}", text("css/site.css"), re.M | re.S
    )
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("selector", [":root", ':root[data-theme="light"]'])
def test_colours_have_enough_contrast(selector: str) -> None:
    color = tokens(selector)
    for ground in ("bg", "surface", "raised"):
        for ink in ("text", "muted", "accent", "buy", "sell", "ok", "danger"):
            assert contrast(color[ink], color[ground]) >= 4.5, (ink, ground)
        assert contrast(color["border"], color[ground]) >= 3, ground
    assert contrast(color["on-accent"], color["accent"]) >= 4.5
    assert min(contrast(color["on-side"], color[side]) for side in ("buy", "sell")) >= 4.5
