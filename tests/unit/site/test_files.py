"""The site as files: what each page loads, how much that is, and what no file may do."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Final

import pytest

SITE: Final = Path(__file__).resolve().parents[3] / "frontend"
PAGES: Final = sorted(page.name for page in SITE.glob("*.html"))
MODULES: Final = sorted(module.name for module in SITE.glob("*.js"))
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' https:; base-uri 'none'; form-action 'none'"
)
IMPORT: Final = re.compile(r'^(?:import|export)\b[^"]*?"\./([\w.-]+)";', re.MULTILINE)
NAMED: Final = re.compile(r'^import \{([^}]*)\} from "\./([\w.-]+)";', re.MULTILINE)
LAZY: Final = re.compile(r'import\("\./([\w./-]+)"\)')
EXPORT: Final = re.compile(r"^export (?:async )?(?:const|let|class|function\*?) (\w+)", re.MULTILINE)
MOST_COMPRESSED: Final = 45 * 1024
MOST_RAW: Final = 150 * 1024


def text(name: str) -> str:
    return (SITE / name).read_text(encoding="utf-8")


def scripts(page: str) -> list[str]:
    return re.findall(r'<script[^>]* src="([^"]+)"', text(page))


def module_of(page: str) -> str:
    (module,) = re.findall(r'<script type="module" src="([^"]+)"', text(page))
    return str(module)


def loaded(module: str) -> set[str]:
    """The module and all that it imports before it runs; what it loads later on is not among them."""
    found, left = {module}, [module]
    while left:
        new = set(IMPORT.findall(text(left.pop()))) - found
        found |= new
        left += new
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_lets_nothing_foreign_in(page: str) -> None:
    html = text(page)
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in html
    assert not re.search(r"<style|\sstyle=|\son\w+=|://", html)
    assert html.count("<script") == len(scripts(page)) == 3
    assert html.index("Content-Security-Policy") < html.index("<link") < html.index('type="module"')
    for name in re.findall(r'(?:href|src)="([^"#:]+)"', html):
        if not name.startswith("api/") and name != "./":
            assert (SITE / name).is_file(), f"{page} names {name}; `make site` makes the vendor folder"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_its_modules_at_once(page: str) -> None:
    """Else each import would cost a round trip more. What asks for the venue comes before all others."""
    html = text(page)
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)"', html)
    early, own = loaded("early.js") - {"early.js"}, loaded(module_of(page)) - {module_of(page)}
    assert preloaded == [*sorted(early), *sorted(own - early)]
    assert early <= own, "nothing is loaded for the early request alone"
    assert html.index('<script type="module" async src="early.js"') < html.index(
        f'"{sorted(own - early)[0]}"'
    )


@pytest.mark.parametrize("page", PAGES)
def test_nothing_stops_the_page_being_read(page: str) -> None:
    """A script in the head stops all that stands below it until it has come: it is asked for first, and run last."""
    lines = re.findall(r'<(?:link rel="(?:preload|modulepreload|stylesheet)"|script)[^>]*>', text(page))
    assert lines[0] == '<link rel="preload" href="theme.js" as="script">'
    assert lines[-2] == '<script src="theme.js">'


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_light(page: str) -> None:
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text(page))
    names = {page, *styles, *scripts(page), *loaded(module_of(page))}
    files = [(SITE / name).read_bytes() for name in sorted(names)]
    assert sum(map(len, files)) <= MOST_RAW
    assert sum(len(gzip.compress(file)) for file in files) <= MOST_COMPRESSED


@pytest.mark.parametrize("module", MODULES)
def test_what_is_imported_exists_and_is_used(module: str) -> None:
    code = text(module)
    for names, source in NAMED.findall(code):
        exported = set(EXPORT.findall(text(source))) | set(
            re.findall(r"^export \{ (\w+) \};", text(source), re.M)
        )
        for item in filter(None, (name.strip() for name in names.split(","))):
            name, _, alias = item.partition(" as ")
            assert name in exported, f"{source} has no {name}"
            assert len(re.findall(rf"\b{alias or name}\b", code)) > 1, (
                f"{module} does not use {alias or name}"
            )
    for source in LAZY.findall(code):
        assert (SITE / source).is_file(), source


def test_every_module_is_used() -> None:
    reached = {name for page in PAGES for name in scripts(page)}
    left = list(reached)
    while left:
        code = text(left.pop())
        new = {name for name in (*IMPORT.findall(code), *LAZY.findall(code)) if "/" not in name} - reached
        reached |= new
        left += new
    assert reached == set(MODULES)


def test_every_text_is_used() -> None:
    strings = text("strings.js")
    for section, body in re.findall(r"^export const (\w+) = \{\n(.*?)^\};", strings, re.M | re.S):
        users = [
            text(name) for name in MODULES if re.search(rf"\b{section}\b[^;]*\"./strings.js\"", text(name))
        ]
        assert users, f"nobody imports the texts of {section}"
        for key in re.findall(r"^  (\w+)[:,(]", body, re.M):
            assert any(re.search(rf"\.{key}\b|\"{key}\"|\[", user) for user in users), f"{section}.{key}"


@pytest.mark.parametrize("module", MODULES)
def test_text_never_becomes_markup_or_code(module: str) -> None:
    code = text(module)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc", code)
    assert not re.search(r"\beval\(|new Function|\balert\(|\bprompt\(|\bconfirm\(", code)
    assert not re.search(r"credentials: \"(?!omit)", code)


def test_one_file_names_the_extension() -> None:
    assert [module for module in MODULES if "hive_keychain" in text(module)] == ["wallet.js"]


def test_what_comes_from_others_has_its_licence() -> None:
    vendor = SITE / "vendor"
    licences = {
        "ibm-plex-sans": "SIL Open Font License",
        "lightweight-charts": "Apache License",
        "noble": "MIT",
    }
    for file in vendor.rglob("*"):
        owner = next((name for name in licences if str(file.relative_to(vendor)).startswith(name)), None)
        assert owner is not None, f"whose is {file.name}?"
    for owner, licence in licences.items():
        files = [*vendor.glob(f"{owner}*LICENSE*"), *vendor.glob(f"{owner}/*LICENSE*")]
        assert files
        assert all(licence in file.read_text(encoding="utf-8") for file in files)
    assert "https://www.tradingview.com/" in text("vendor/lightweight-charts.NOTICE.txt")


def tokens(selector: str) -> dict[str, str]:
    (block,) = re.findall(
        rf"^{re.escape(selector)} \{{\n  color-scheme.*?\n\}}", text("site.css"), re.M | re.S
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
def test_every_text_can_be_read(selector: str) -> None:
    color = tokens(selector)
    for ground in ("bg", "surface", "raised"):
        for ink in ("text", "muted", "accent", "buy", "sell", "ok", "danger"):
            assert contrast(color[ink], color[ground]) >= 4.5, (ink, ground)
        assert contrast(color["border"], color[ground]) >= 3, ground
    assert contrast(color["on-accent"], color["accent"]) >= 4.5
    assert min(contrast(color["on-side"], color[side]) for side in ("buy", "sell")) >= 4.5
