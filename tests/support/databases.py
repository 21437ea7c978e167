"""Which database a test works on: SQLite, or PostgreSQL where its folder's conftest calls `on_both`.

Tests name a database by the path of a file and get its URL. On PostgreSQL the database is created when its path is
first named, and dropped at the end of the test that named it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import postgres

KINDS = postgres.DATABASES


class _Current:
    """The kind of database of the running test, and the URLs of PostgreSQL databases by path."""

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
    """The URL of the database that stands for this file."""
    if is_sqlite():
        return f"sqlite:///{path}"
    if path not in _current.named:
        _current.named[path] = postgres.new_database()
    return _current.named[path]


def drop(path: Path) -> None:
    """Drop the database that stands for this file, where it is not SQLite's; for fixtures that outlive a test."""
    if path in _current.named:
        postgres.drop_database(_current.named.pop(path))


def fresh() -> str:
    """The URL of a new database; an SQLite database is in memory and lives as long as its engine."""
    return "sqlite://" if is_sqlite() else url(Path(f"/{len(_current.named)}"))


def on_both(metafunc: pytest.Metafunc, modules: Collection[str], but: Collection[str] = ()) -> None:
    """Parametrise the tests of these modules by the kind of database, except those named in `but`.

    To be called from `pytest_generate_tests` of a folder's conftest.
    """
    if metafunc.module.__name__.rpartition(".")[2] in modules and metafunc.function.__name__ not in but:
        metafunc.parametrize("database_kind", KINDS, indirect=True, scope="session")


def thin_out(items: list[pytest.Item], kept: Mapping[str, Mapping[str, Collection[object]]]) -> None:
    """Of slow tests, keep on PostgreSQL only those with these values of their parameters."""

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
    """Sets the kind of database for the tests that follow: SQLite where a test does not run on both."""
    _current.kind = getattr(request, "param", KINDS[0])
    yield _current.kind
    _current.kind = KINDS[0]


@pytest.fixture(autouse=True)
def _drop_what_a_test_made(database_kind: str) -> Iterator[None]:
    before = set(_current.named)
    yield
    for path in set(_current.named) - before:
        postgres.drop_database(_current.named.pop(path))
