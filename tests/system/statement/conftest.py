"""Both kinds of database for the statements of a small market."""

from __future__ import annotations

import pytest

from tests.support.databases import on_both


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_both(metafunc, ("test_statement",))
