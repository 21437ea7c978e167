"""Which database a test works on: SQLite, or PostgreSQL where its folder's conftest says `on_both`.

Tests ask for databases by the path of a file, or for one of their own, and get a URL. On PostgreSQL a path
stands for a database that is made when it is first asked for; what a test made is dropped at its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import postgres

KINDS = postgres.DATABASES


class _Current:
    """What the running test works on. `named` holds the databases on PostgreSQL by path."""

    kind = KINDS[0]
    named: dict[Path, str]

    def __init__(self) -> None:
        self.named = {}


_current = _Current()


def kind() -> str:
    """One of KINDS."""
    return _current.kind


def is_sqlite() -> bool:
    return _current.kind == KINDS[0]


def url(path: Path) -> str:
    """The database that stands for this file; always the same one."""
    if is_sqlite():
        return f"sqlite:///{path}"
    if path not in _current.named:
        _current.named[path] = postgres.new_database()
    return _current.named[path]


def fresh() -> str:
    """A database of one's own; SQLite's lives as long as its engine."""
    return "sqlite://" if is_sqlite() else url(Path(f"/{len(_current.named)}"))


def on_both(metafunc: pytest.Metafunc, modules: Collection[str], but: Collection[str] = ()) -> None:
    """Run the tests of these modules once on each kind, but for those named `but`.

    For `pytest_generate_tests` of a folder's conftest.
    """
    if metafunc.module.__name__.rpartition(".")[2] in modules and metafunc.function.__name__ not in but:
        metafunc.parametrize("database_kind", KINDS, indirect=True, scope="session")


def thin_out(items: list[pytest.Item], kept: Mapping[str, Mapping[str, Collection[object]]]) -> None:
    """Of tests that take long, keep on PostgreSQL only those with these values of their parameters."""

    def is_kept(item: pytest.Item) -> bool:
        params = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        if params.get("database_kind") != "postgresql":
            return True
        wanted = kept.get(getattr(item, "originalname", ""), {})
        return all(params[name] in values for name, values in wanted.items())

    items[:] = filter(is_kept, items)


@pytest.fixture(scope="session", autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """The kind for all that is asked for from now on: SQLite where a test does not run on both."""
    _current.kind = getattr(request, "param", KINDS[0])
    yield _current.kind
    _current.kind = KINDS[0]


@pytest.fixture(autouse=True)
def _drop_what_a_test_made(database_kind: str) -> Iterator[None]:
    before = set(_current.named)
    yield
    for path in set(_current.named) - before:
        postgres.drop_database(_current.named.pop(path))
