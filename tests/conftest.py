"""Fixtures for all tests, the profiles of hypothesis, and which tests come first."""

import signal

import pytest

from tests.support.databases import _drop_what_a_test_made, database_kind
from tests.support.examples import register_profiles
from tests.support.postgres import database_url, postgresql

__all__ = ["_drop_what_a_test_made", "database_kind", "database_url", "postgresql"]

LONGEST = ("tests/system/systemd/", "tests/system/containers/test_image.py", "tests/system/compiled/")
"""Tests whose first step, an installation or the compilation of the rules, takes minutes and cannot be shared out."""

register_profiles()

# A shell's background job ignores Ctrl-C, and the programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
