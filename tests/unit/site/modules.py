"""The site's JavaScript modules and their imports."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Final

SITE: Final = Path(__file__).resolve().parents[3] / "frontend"
MODULES: Final = sorted(
    str(path.relative_to(SITE)) for path in [SITE / "config.js", *SITE.glob("js/**/*.js")]
)

_COMMENT: Final = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
_NAMED: Final = re.compile(r'^(?:import|export) \{([^}]*)\} from "([^"]+)";', re.MULTILINE)
_PLAIN: Final = re.compile(r'^import "([^"]+)";', re.MULTILINE)
_DYNAMIC: Final = re.compile(r'\bimport\("([^"]+)"\)')


def text(name: str) -> str:
    """A file of the site."""
    return (SITE / name).read_text(encoding="utf-8")


def code(module: str) -> str:
    """A module without its comments."""
    return _COMMENT.sub("", text(module))


def named_imports(module: str) -> list[tuple[list[str], str]]:
    """The names in each import or re-export, and the path of the module that they come from."""
    return [
        ([name.strip() for name in names.split(",") if name.strip()], resolve(module, path))
        for names, path in _NAMED.findall(code(module))
    ]


def static_imports(module: str) -> set[str]:
    """Modules that load before it runs."""
    plain = {resolve(module, path) for path in _PLAIN.findall(code(module))}
    return plain | {path for _, path in named_imports(module)}


def dynamic_imports(module: str) -> set[str]:
    """Modules that it loads later."""
    return {resolve(module, path) for path in _DYNAMIC.findall(code(module))}


def resolve(module: str, path: str) -> str:
    """An import's path relative to the site."""
    return normpath(join(dirname(module), path))


def loaded(module: str) -> set[str]:
    """The module and all that load before it runs."""
    found, left = {module}, [module]
    while left:
        new = static_imports(left.pop()) - found
        found |= new
        left += new
    return found
