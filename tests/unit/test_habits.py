"""Habits of the tests themselves: no private attributes, no patched internals, no polling loops of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("settlement", "indexer", "api", "peakedex", "hatch_build")
PUBLIC: Final = {"_replace", "_asdict", "_fields", "_make", "_mapping", "_exit"}
"""Underscored names of public interfaces: named tuples, SQLAlchemy rows, `os._exit`."""

ALLOWED: Final[dict[tuple[str, str], str]] = {
    # A file and a part of the finding: why it stays.
    (
        "tests/property/payouts/test_simulation.py",
        "patch.setattr(",
    ): "breaks the design, to see that it is noticed",
    ("tests/system/cli/test_doctor.py", "_known_revisions"): "there is no second revision of the schema yet",
    (
        "tests/system/cli/test_verify.py",
        "DatabaseTarget, 'rows'",
    ): "blocks come in between two reads of one command",
    ("tests/system/export/test_command.py", "GROUP_ROWS"): "full row groups would take minutes to write",
}


@cache
def trees() -> dict[str, ast.Module]:
    """The modules of the tests and benchmarks by path."""
    paths = [path.relative_to(ROOT) for name in ("tests", "bench") for path in (ROOT / name).rglob("*.py")]
    return {
        path.as_posix(): ast.parse((ROOT / path).read_bytes())
        for path in sorted(paths)
        if "node_modules" not in path.parts
    }


def private_attributes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Attributes with one leading underscore, but for those of `self`, `cls` and `super()`."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and node.attr not in PUBLIC
            and ast.unparse(node.value) not in ("self", "cls", "super()")
        ):
            yield node.lineno, ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PRODUCT:
            yield from (
                (node.lineno, f"import of {alias.name}") for alias in node.names if alias.name.startswith("_")
            )


def patched_internals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """`monkeypatch.setattr` and the like on what comes from the product, by name or by dotted text."""
    ours = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] in PRODUCT
    } | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PRODUCT
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr not in ("setattr", "delattr", "patch", "object"):
            continue
        target = node.args[0]
        text = target.value if isinstance(target, ast.Constant) else ast.unparse(target)
        root = str(text).split(".", 1)[0]
        if root in (PRODUCT if isinstance(target, ast.Constant) else ours):
            yield node.lineno, ast.unparse(node)[:100]


def polling_loops(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Loops that look at something, sleep, and look again."""
    for node in ast.walk(tree):
        if isinstance(node, ast.While) and not (isinstance(node.test, ast.Constant) and not breaks(node)):
            calls = [ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)]
            if "time.sleep" in calls or any(name.endswith(".wait_for_timeout") for name in calls):
                yield node.lineno, f"while {ast.unparse(node.test)}: use tests.support.waiting.wait_until"


def breaks(loop: ast.While) -> bool:
    return any(isinstance(node, ast.Break | ast.Return) for node in ast.walk(loop))


@pytest.mark.parametrize("find", [private_attributes, patched_internals, polling_loops])
def test_tests_use_what_a_caller_can_use(find: object) -> None:
    assert callable(find)
    found = [
        f"{name}:{line}: {what}"
        for name, tree in trees().items()
        if name != "tests/support/waiting.py"
        for line, what in find(tree)
        if not any(name == file and part in what for file, part in ALLOWED)
    ]
    assert found == []


def test_what_is_allowed_is_there() -> None:
    """An exception that nothing needs any more is deleted."""
    for name, part in ALLOWED:
        tree = trees()[name]
        assert any(
            part in what for find in (private_attributes, patched_internals) for _, what in find(tree)
        ), name


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (private_attributes, "engine._orders"),
        (private_attributes, "from api.app import _make"),
        (patched_internals, "import api.app\nmonkeypatch.setattr(api.app, 'LIMIT', 3)"),
        (patched_internals, "from api import app as module\nmonkeypatch.setattr(module.time, 'sleep', None)"),
        (patched_internals, "monkeypatch.setattr('indexer.ops.x', 3)"),
        (polling_loops, "while not ready():\n    time.sleep(1)"),
        (polling_loops, "while True:\n    if ready():\n        break\n    time.sleep(1)"),
    ],
)
def test_each_habit_would_be_found(find: object, text: str) -> None:
    assert callable(find)
    assert list(find(ast.parse(text)))
    assert not list(
        find(ast.parse("row._replace(a=1)\nmonkeypatch.setattr(shutil, 'which', None)\nself._x = 1"))
    )
