"""The site's files: what each page loads, its size budget, and what no file may contain."""

from __future__ import annotations

import gzip
import json
import re
from typing import Final

import pytest

from tests.unit.site.modules import MODULES, SITE, loaded, named_imports, text

PAGES: Final = sorted(page.name for page in SITE.glob("*.html"))
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' https:; base-uri 'none'; form-action 'none'"
)
PREFETCH: Final = "js/data/prefetch.js"
MAX_COMPRESSED: Final = 45 * 1024
MAX_RAW: Final = 150 * 1024


def scripts(page: str) -> list[str]:
    return re.findall(r'<script[^>]* src="([^"]+)"', text(page))


def module_of(page: str) -> str:
    (module,) = re.findall(r'<script type="module" src="([^"]+)"', text(page))
    return str(module)


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
    """Nested imports would cost a round trip each. The modules of the prefetch come first."""
    html = text(page)
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)"', html)
    early = loaded(PREFETCH) - {PREFETCH}
    own = loaded(module_of(page)) - {module_of(page)}
    assert preloaded == [*sorted(early), *sorted(own - early)]
    assert early <= own, "the prefetch must load no module of its own"
    assert html.index(f'<script type="module" async src="{PREFETCH}"') < html.index(
        f'"{sorted(own - early)[0]}"'
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_theme_script_does_not_block_the_parser_early(page: str) -> None:
    """A script in the head blocks the parser until it has loaded: it is requested first, and stands last."""
    lines = re.findall(r'<(?:link rel="(?:preload|modulepreload|stylesheet)"|script)[^>]*>', text(page))
    assert lines[0] == '<link rel="preload" href="js/shell/theme.js" as="script">'
    assert lines[-2] == '<script src="js/shell/theme.js">'


@pytest.mark.parametrize("page", PAGES)
def test_a_page_stays_within_its_size_budget(page: str) -> None:
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text(page))
    names = {page, *styles, *scripts(page), *loaded(module_of(page))}
    files = [(SITE / name).read_bytes() for name in sorted(names)]
    assert sum(map(len, files)) <= MAX_RAW
    assert sum(len(gzip.compress(file)) for file in files) <= MAX_COMPRESSED


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
