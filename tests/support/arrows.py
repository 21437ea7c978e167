"""The import arrows drawn in README.md and docs/developer.md, generated from the import contracts in pyproject.toml.

`python -m tests.support.arrows` writes the drawing between the markers of both documents; tests/system/test_project.py
compares them.
"""

from __future__ import annotations

import re
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = (ROOT / "README.md", ROOT / "docs" / "developer.md")
MARKERS: Final = re.compile(r"(?<=<!-- arrows -->\n).*?(?=<!-- /arrows -->)", re.DOTALL)
SETTINGS: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "importlinter"
]

INSIDE_A_PACKAGE: Final = ("relay", "relay-users")
"""Contracts between modules of one package, which are not drawn."""


def packages() -> list[str]:
    """The project's packages that the contracts name, without those of which they name a part."""
    named = set(
        re.findall(r"[\w.]+", str([c for c in SETTINGS["contracts"] if c["id"] not in INSIDE_A_PACKAGE]))
    )
    ours = {name for name in named if name.split(".")[0] in SETTINGS["root_packages"]}
    return sorted(name for name in ours if not any(other.startswith(f"{name}.") for other in ours))


def is_allowed(importer: str, imported: str) -> bool:
    """Whether every contract permits that one package imports another."""
    return importer != imported and all(_permits(c, importer, imported) for c in SETTINGS["contracts"])


def _permits(contract: dict[str, Any], importer: str, imported: str) -> bool:
    if contract["type"] == "forbidden":
        return not (
            _is_in(importer, contract["source_modules"]) and _is_in(imported, contract["forbidden_modules"])
        )
    if contract["type"] == "protected":
        return not _is_in(imported, contract["protected_modules"]) or _is_in(
            importer, contract["allowed_importers"]
        )
    levels = {name: n for n, layer in enumerate(contract["layers"]) for name in layer.split(" | ")}
    return importer not in levels or imported not in levels or levels[importer] < levels[imported]


def _is_in(package: str, modules: list[str]) -> bool:
    return any(f"{package}.".startswith(f"{module}.") for module in modules)


def imports() -> dict[str, set[str]]:
    """What each package may import: all of it, also through others."""
    return {name: {other for other in packages() if is_allowed(name, other)} for name in packages()}


def drawing() -> str:
    """A line for packages that may import the same; what is reached through one of them is left out."""
    reachable = imports()
    arrows = {
        name: sorted(found - set().union(*(reachable[other] for other in found)))
        for name, found in reachable.items()
    }
    for name, found in reachable.items():
        if len(found) == len(reachable) - 1:
            arrows[name] = ["everything"]
    order = sorted(arrows, key=lambda name: (-len(reachable[name]), arrows[name], name))
    lines = [(", ".join(names), targets) for targets, names in groupby(order, key=lambda name: arrows[name])]
    width = max(len(names) for names, _ in lines)
    drawn = [f"{names:{width}} → {', '.join(targets) or 'no other package'}" for names, targets in lines]
    return "\n".join(["```", *drawn, "```", ""])


def main() -> None:
    """Write the drawing into both documents."""
    for path in DOCUMENTS:
        path.write_text(MARKERS.sub(lambda _: drawing(), path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
