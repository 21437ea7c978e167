"""Counts of several workers: each its own, all of them together, and none lost with a worker."""

from __future__ import annotations

import multiprocessing
import os
import threading

import pytest

from api.worker_metrics import BOUNDS_SECONDS, MAX_PATHS, Paths, Tally


def test_requests_are_counted_by_path_status_and_time() -> None:
    tally = Tally()
    slot = tally.slot(0)
    for status, seconds in ((200, 0.0004), (200, 0.001), (304, 0.0011), (404, 99.0), (418, 0.1)):
        slot.request(3, status, seconds)
    counts = tally.path(3)
    assert counts.buckets[:2] == (2, 1)
    assert counts.buckets[-1] == 1
    assert len(counts.buckets) == len(BOUNDS_SECONDS) + 1
    assert sum(counts.buckets) == 5
    assert counts.seconds == pytest.approx(99.1025)
    assert {status: count for status, count in counts.statuses.items() if count} == {200: 2, 304: 1, 404: 1}
    assert sum(tally.path(2).buckets) == sum(tally.path(4).buckets) == 0


def test_workers_count_together(tmp_path) -> None:
    """In processes of their own, as gunicorn forks them; one of them dies on the spot."""
    tally = Tally(3)

    def work(number: int) -> None:
        slot = tally.slot(number)
        slot.move("streams", 2)
        for _ in range(1000):
            slot.request(MAX_PATHS - 1, 200, 0.01)
        os._exit(9)

    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=work, args=(number,)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert tally.path(MAX_PATHS - 1).statuses[200] == 3000
    assert tally.gauge("streams") == 6
    again = tally.slot(1)  # the worker that takes a dead one's place: its streams are gone, its counts stay
    assert tally.gauge("streams") == 4
    again.request(MAX_PATHS - 1, 200, 0.01)
    assert tally.path(MAX_PATHS - 1).statuses[200] == 3001


def test_threads_of_a_worker_lose_nothing() -> None:
    tally = Tally()
    slot = tally.slot(0)

    def work() -> None:
        for _ in range(5000):
            slot.request(0, 200, 0.001)
            slot.move("streams", 1)
            slot.move("streams", -1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.path(0).statuses[200] == 20_000
    assert tally.gauge("streams") == 0


def test_paths_have_the_same_numbers_everywhere() -> None:
    assert Paths(["/b", "/a"]).names == Paths(["/a", "/b", "/a"]).names == ("other", "/a", "/b")
    assert Paths(["/a"]).number("/a") == 1
    assert Paths(["/a"]).number(None) == Paths(["/a"]).number("/x") == 0
    with pytest.raises(ValueError, match="more than"):
        Paths([str(n) for n in range(MAX_PATHS)])
