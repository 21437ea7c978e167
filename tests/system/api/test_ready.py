"""Answers that are ready are the answers that would be made, and are counted, limited and logged as those."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import api.routes.market.orderbook
from api.http.single_flight import Flights
from tests.system.api.world import World, small_world

BOOK = "/api/orderbook?base=PEK&quote=SWAP.HIVE"


@pytest.fixture
def made() -> Iterator[list[object]]:
    """Grows by one for each book that is made."""
    resource = api.routes.market.orderbook.resource
    view, made = resource.view, []

    def counting(snapshot, ask):
        made.append(ask)
        return view(snapshot, ask)

    object.__setattr__(resource, "view", counting)  # it is frozen, and every application has the same
    yield made
    object.__setattr__(resource, "view", view)


def seen(answer: TestResponse) -> tuple[object, ...]:
    """All of an answer but its id."""
    headers = sorted((name, value) for name, value in answer.headers if name != "X-Request-Id")
    return answer.status, headers, answer.data


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept-Encoding": "gzip"},
        {"Accept-Encoding": "br, zstd"},
        {"Origin": "https://peakedex.example"},
        {"Origin": "https://stranger.example"},
        {"If-None-Match": "*"},
        {"If-None-Match": 'W/"0-0"'},
        {"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"},
    ],
)
def test_the_second_time_is_as_the_first(world: World, headers: dict[str, str]) -> None:
    """Whatever was asked in between with other headers."""
    paths = [BOOK, "/api/pairs", "/api/history?user=bob", "/api/coingecko/tickers", f"{BOOK}&block=1002"]
    asked, others = (world.client(cors_origins=("https://peakedex.example",)) for _ in range(2))
    for path in paths:
        asked.get(path)
        asked.get(path, headers={"Accept-Encoding": "zstd"})
        asked.get(path, headers={"Origin": "https://peakedex.example"})
        first, second, alone = (client.get(path, headers=headers) for client in (asked, asked, others))
        assert seen(first) == seen(second) == seen(alone)
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
        held = {**headers, "If-None-Match": first.headers["ETag"]}
        answers = [asked.get(path, headers=held) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [304, 304]
        assert seen(answers[0]) == seen(answers[1])
        head = asked.head(path, headers=headers)
        assert (head.status_code, head.data) == (first.status_code, b"")


def test_a_block_later_it_is_another(tmp_path, made: list[object]) -> None:
    world = small_world(tmp_path)
    client = world.client()
    first = client.get(BOOK).json
    assert client.get(BOOK).json == first
    assert len(made) == 1
    world.apply(world.order("bob", "buy", "1", "0.000001"))
    later = client.get(BOOK).json
    assert (later["block"], len(later["bids"])) == (first["block"] + 1, len(first["bids"]) + 1)
    assert len(made) == 2
    world.close()


def test_as_old_as_the_server_may_be_and_no_older(tmp_path, made: list[object]) -> None:
    """A process that looks once an hour still answers at once, and anew when its stream was told more."""
    world = small_world(tmp_path)
    client = world.client(fresh_seconds=3600.0)
    before = client.get(BOOK).json["block"]
    world.apply()
    assert client.get(BOOK).json["block"] == before
    assert world.client().get(BOOK).json["block"] == before + 1
    database = world._feeds[0]._database
    assert database.look().block == before + 1
    assert client.get(BOOK).json["block"] == before + 1
    world.close()


def test_errors_are_not_kept(tmp_path) -> None:
    world = World(tmp_path)
    world.apply()
    client = world.client()
    path = f"{BOOK}&block={world.block + 1}"
    assert [client.get(path).status_code for _ in range(2)] == [404, 404]
    world.apply()
    assert client.get(path).status_code == 200
    world.close()


def test_ready_answers_are_counted(tmp_path) -> None:
    world = small_world(tmp_path)
    client = world.client()
    etag = client.get(BOOK).headers["ETag"]
    for _ in range(3):
        client.get(BOOK)
        client.get(BOOK, headers={"If-None-Match": etag})
    counted = client.get("/metrics").text.splitlines()
    book = [line for line in counted if 'path="/api/orderbook"' in line and "requests_total" in line]
    assert sorted(line.rpartition(" ")[2] for line in book) == ["3.0", "4.0"]
    world.close()


def test_ready_answers_are_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    client = world.client(access_log=True)
    with caplog.at_level(logging.INFO, "peakedex.access"):
        answers = [client.get(BOOK) for _ in range(2)]
    lines = [record for record in caplog.records if record.name == "peakedex.access"]
    assert [line.request for line in lines] == [answer.headers["X-Request-Id"] for answer in answers]
    first, second = ({**vars(line)} for line in lines)
    for name in ("client", "method", "target", "status", "bytes"):
        assert first[name] == second[name]
    assert json.dumps(second["bytes"]) == answers[1].headers["Content-Length"]


def ask_together(client_of, count: int) -> list[object]:
    """What so many threads get that ask at once."""
    found: list[object] = [None] * count
    start = threading.Barrier(count)

    def ask(place: int) -> None:
        start.wait()
        found[place] = client_of(place)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_who_asks_at_once_gets_one_answer(world: World, made: list[object]) -> None:
    app = world.client().application
    answers = ask_together(lambda _: FlaskClient(app, app.response_class).get(BOOK), 12)
    assert len({answer.data for answer in answers}) == 1
    assert len(made) == 1


def test_one_makes_it_and_an_error_reaches_all() -> None:
    flights: Flights[str] = Flights()
    waiting, times = threading.Semaphore(0), []

    def make() -> str:
        times.append(1)
        for _ in range(7):
            assert waiting.acquire(timeout=20)
        raise KeyError("no")

    lock = flights._lock

    class Counting:
        """Tells of each who has looked for the one that makes it."""

        def __enter__(self) -> None:
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()
            waiting.release()

    flights._lock = Counting()  # type: ignore[assignment]

    def ask(_: int) -> str:
        try:
            return flights.share("book", make)
        except KeyError as error:
            return error.args[0]

    assert ask_together(ask, 7) == ["no"] * 7
    assert len(times) == 1
    assert flights.share("book", lambda: "yes") == "yes"  # an error is not kept
    assert flights.share("book", lambda: "again") == "again"  # nor is anything else
