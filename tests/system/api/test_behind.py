"""Warnings while the database is behind the chain, and their ETags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.heartbeat import observe_continuously
from api.http.errors import ApiError
from settlement.store.indexer_status import IndexerStatus, write_status
from tests.support.api_client import ApiClient
from tests.support.waiting import wait_until
from tests.system.api.described import Described
from tests.system.api.world import World


def tell(world: World, irreversible: int | None) -> None:
    status = IndexerStatus(world.time, "following", irreversible, None, None, None)
    write_status(world.engine, status)


@pytest.fixture
def client(fresh: World) -> ApiClient:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    return fresh.client()


def test_an_answer_far_behind_carries_a_warning(fresh: World, client: ApiClient) -> None:
    tell(fresh, fresh.block + 20)
    fine = client.get("/api/pairs")
    assert "Warning" not in fine.headers
    assert "warning" not in fine.json
    tell(fresh, fresh.block + 21)
    late = client.get("/api/pairs", headers={"If-None-Match": fine.headers["ETag"]})
    sentence = "The database is 21 blocks behind the chain."
    assert late.status_code == 200
    assert late.headers["Warning"] == f'199 peakedex "{sentence}"'
    assert list(late.json.items())[2:4] == [("warning", sentence), ("lag", 21)]
    Described(client).check_answer("/api/pairs", late)
    tell(fresh, fresh.block + 22)
    assert client.get("/api/pairs").json["lag"] == 22
    tell(fresh, fresh.block + 1)
    assert client.get("/api/pairs").json == fine.json


def test_text_carries_it_as_a_header_alone(fresh: World, client: ApiClient) -> None:
    tell(fresh, fresh.block)
    fine = client.get("/api/journal").text
    tell(fresh, fresh.block + 100)
    late = client.get("/api/journal")
    assert "100 blocks behind" in late.headers["Warning"]
    assert late.text == fine


class Timeline:
    """An API process and an indexer on hosts whose clocks differ; only `pass_time` moves them.

    The indexer's heartbeats carry the time of `indexer_clock`; `offset` is how far the API host's wall clock
    is ahead of the chain's time.
    """

    def __init__(self, world: World, offset: int = 0) -> None:
        self.world = world
        self.now = 1_000.0  # the API process's monotonic clock
        self.indexer_clock = world.time
        self.client = world.client(
            monotonic=lambda: self.now, clock=lambda: world.time + offset + self.now - 1_000.0
        )

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.indexer_clock += int(seconds)

    def beat(self) -> None:
        status = IndexerStatus(self.indexer_clock, "following", self.world.block, None, None)
        write_status(self.world.engine, status)

    def live(self, beats: int = 2) -> None:
        """The indexer writes heartbeats, and the API answers requests meanwhile."""
        for _ in range(beats):
            self.pass_time(2)
            self.beat()
            self.ready()

    def ready(self) -> tuple[int, str]:
        response = self.client.get("/api/ready")
        return response.status_code, "" if response.status_code == 200 else response.json["code"]

    def warning(self) -> str:
        return str(self.client.get("/api/pairs").json.get("warning", ""))


SILENT = "The indexer is not running: the newest blocks are missing."
READY, BEHIND, UNKNOWN = (200, ""), (503, "E_BEHIND"), (503, "E_NOT_READY")


@pytest.fixture
def timeline(fresh: World) -> Timeline:
    fresh.apply()
    return Timeline(fresh)


@pytest.mark.parametrize("offset", [0, 90, -3600])
def test_the_indexer_is_judged_by_changes_of_its_heartbeat_not_by_clocks(fresh: World, offset: int) -> None:
    fresh.apply()
    timeline = Timeline(fresh, offset)
    for _ in range(3):  # also when it comes back
        timeline.live()
        assert (timeline.ready(), timeline.warning()) == (READY, "")
        timeline.pass_time(60)
        assert (timeline.ready(), timeline.warning()) == (READY, "")
        timeline.pass_time(1)
        assert (timeline.ready(), timeline.warning()) == (BEHIND, SILENT)
        health = timeline.client.get("/api/health").json
        assert (health["warning"], health["indexer"]["liveness"]) == (SILENT, "silent")


@pytest.mark.parametrize("offset", [0, 90, -3600])
def test_a_new_process_is_not_ready_before_it_has_seen_a_heartbeat(fresh: World, offset: int) -> None:
    fresh.apply()
    timeline = Timeline(fresh, offset)
    timeline.beat()
    for seconds in (0, 30, 30):
        timeline.pass_time(seconds)
        assert (timeline.ready(), timeline.warning()) == (UNKNOWN, "")
        assert timeline.client.get("/api/health").json["indexer"]["liveness"] == "unknown"
    timeline.pass_time(1)
    assert (timeline.ready(), timeline.warning()) == (BEHIND, SILENT)
    timeline.beat()
    assert (timeline.ready(), timeline.warning()) == (READY, "")


def test_the_first_heartbeat_ever_is_one(timeline: Timeline) -> None:
    assert timeline.ready() == READY
    timeline.live(1)
    assert timeline.ready() == READY


def test_an_indexer_whose_clock_is_turned_back_is_alive(timeline: Timeline) -> None:
    timeline.live()
    timeline.indexer_clock -= 3600
    timeline.live(40)
    assert (timeline.ready(), timeline.warning()) == (READY, "")


def test_after_an_hour_without_a_look_a_new_heartbeat_proves_nothing(timeline: Timeline) -> None:
    """The indexer may have died at any time in that hour."""
    timeline.live()
    timeline.pass_time(1800)
    timeline.beat()
    timeline.pass_time(1800)
    assert (timeline.ready(), timeline.warning()) == (UNKNOWN, "")
    timeline.pass_time(61)
    assert (timeline.ready(), timeline.warning()) == (BEHIND, SILENT)


def test_heartbeats_of_standbys_of_different_age_are_no_changes(timeline: Timeline) -> None:
    timeline.live()
    newest = timeline.indexer_clock
    for _ in range(16):
        for timeline.indexer_clock in (newest - 2, newest):
            timeline.beat()
            timeline.now += 2
            timeline.ready()
    assert (timeline.ready(), timeline.warning()) == (BEHIND, SILENT)


def test_the_heartbeat_is_observed_without_requests_and_through_failures() -> None:
    looks: list[int] = []

    @contextmanager
    def snapshot() -> Iterator[None]:
        looks.append(len(looks))
        if len(looks) == 1:
            raise ApiError("E_NOT_READY", "There is no database yet.")
        yield

    observe_continuously(snapshot, lambda: len(looks) >= 3, seconds=0.001)
    wait_until(lambda: len(looks) == 3)


def test_before_an_indexer_ever_told_there_is_nothing_to_warn_of(client: ApiClient) -> None:
    assert "warning" not in client.get("/api/pairs").json
    assert client.get("/api/ready").status_code == 200


def test_the_limit_is_a_setting(fresh: World, client: ApiClient) -> None:
    tell(fresh, fresh.block + 6)
    assert "warning" not in client.get("/api/pairs").json
    assert fresh.client(max_lag_blocks=5).get("/api/pairs").json["lag"] == 6
