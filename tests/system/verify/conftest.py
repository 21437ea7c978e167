"""Fixtures of the tests of docs/verify/verify_journal.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def integers_of_any_length() -> Iterator[None]:
    """Python's limit on digits is off, as in the program's own process, and on again for the tests after."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)
