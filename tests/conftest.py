"""Fixtures for all tests, the profiles of hypothesis, how many processes run the tests, and in which order."""

import gc
import signal

import pytest

from tests.support import workers
from tests.support.databases import _drop_what_a_test_made, database_kind
from tests.support.examples import register_profiles
from tests.support.postgres import database_url, postgresql

__all__ = ["_drop_what_a_test_made", "database_kind", "database_url", "postgresql"]

register_profiles()

# A shell's background job ignores Ctrl-C, and the programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    return workers.number()


@pytest.hookimpl(trylast=True)  # pytest itself has put the tests of one database together by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    count = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    items[:] = workers.in_order(items, lambda item: item.nodeid, count)


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: garbage is no more looked for among them."""
    gc.collect()
    gc.freeze()
