"""The site's modules: every import exists and is used, there is no circle, and folders import in one direction."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from typing import Final

import pytest

from settlement.core.codes import Code
from tests.unit.site.modules import (
    MODULES,
    SITE,
    code,
    dynamic_imports,
    named_imports,
    resolve,
    static_imports,
    text,
)

LAYERS: Final = (
    "strings",
    "lib",
    "data",
    "wallet",
    "shell",
    "markets",
    "audit",
    "status",
    "account",
    "trade",
)
"""Folders of frontend/js: each imports only from itself and from those before it, and any may import config.js."""

MAX_LINES: Final = 400
EXPORTED: Final = re.compile(r"^export (?:async )?(?:const|let|class|function\*?) (\w+)", re.MULTILINE)
TYPE_IMPORT: Final = re.compile(r'\{[^\n]*?import\("([^"]+)"\)\.')


def layer(module: str) -> int:
    return -1 if module == "config.js" else LAYERS.index(module.split("/")[1])


def own_imports(module: str) -> set[str]:
    """Static and dynamic imports without the vendor folder."""
    imports = static_imports(module) | dynamic_imports(module)
    return {name for name in imports if not name.startswith("vendor/")}


def test_the_folders_are_the_layers() -> None:
    assert {path.name for path in (SITE / "js").iterdir()} == set(LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_folders_import_in_one_direction(module: str) -> None:
    upward = {name for name in own_imports(module) if layer(name) > layer(module)}
    assert not upward, f"{module} must not import {sorted(upward)}: see LAYERS"


def test_there_is_no_import_circle() -> None:
    """Dynamic imports included. CycleError names the circle."""
    TopologicalSorter({module: own_imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_imports_exist_and_are_used(module: str) -> None:
    for path in static_imports(module) | dynamic_imports(module):
        assert (SITE / path).is_file(), f"{module} imports {path}"
    for path in TYPE_IMPORT.findall(text(module)):
        assert (SITE / resolve(module, path)).is_file(), f"{module} names a type of {path}"
    for names, path in named_imports(module):
        for item in names:
            name, _, alias = item.partition(" as ")
            assert name in EXPORTED.findall(code(path)), f"{path} does not export {name}"
            used = re.findall(rf"\b{alias or name}\b", code(module))
            assert len(used) > 1, f"{module} does not use {item}"


@pytest.mark.parametrize("module", MODULES)
def test_exports_are_used(module: str) -> None:
    others = "\n".join(text(name) for name in MODULES if name != module)
    for name in EXPORTED.findall(code(module)):
        is_used_inside = len(re.findall(rf"\b{name}\b", code(module))) > 1
        assert is_used_inside or re.search(rf"\b{name}\b", others), f"{module} exports {name} for nothing"


def test_every_module_is_loaded() -> None:
    pages = [*SITE.glob("*.html")]
    left = {
        name for page in pages for name in re.findall(r'<script[^>]* src="([^"]+)"', page.read_text("utf-8"))
    }
    loaded = set(left)
    while left:
        new = own_imports(left.pop()) - loaded
        loaded |= new
        left |= new
    assert loaded == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module: str) -> None:
    assert text(module).count("\n") <= MAX_LINES


def test_every_rejection_code_has_a_text() -> None:
    (codes,) = re.findall(
        r"^  codes: \{\n(.*?)^  \},", text("js/strings/wallet.js"), re.MULTILINE | re.DOTALL
    )
    assert set(re.findall(r"^    (E_[A-Z_]+): ", codes, re.MULTILINE)) == set(Code)
