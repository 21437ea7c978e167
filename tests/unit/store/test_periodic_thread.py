"""Threads that repeat: a bug in one call is logged once, and does not end what nobody would miss."""

from __future__ import annotations

import logging

import pytest

from settlement.store.periodic_thread import PeriodicThread
from tests.support.waiting import wait_until


class Watch(PeriodicThread):
    """Fails in its first three calls: twice in the same way, then in another one."""

    def __init__(self) -> None:
        super().__init__("watch", 0.001)
        self.calls = 0

    def run_once(self) -> None:
        self.calls += 1
        if self.calls <= 3:
            raise RuntimeError("odd" if self.calls < 3 else "odder")


def test_a_bug_is_logged_once_and_the_next_call_comes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), Watch() as watch:
        wait_until(lambda: watch.calls > 4, "the calls after the failed ones")
    assert [record.getMessage() for record in caplog.records] == [
        "watch failed, and is tried again: RuntimeError: odd",
        "watch failed, and is tried again: RuntimeError: odder",
    ]
    assert all(record.exc_info for record in caplog.records)
