"""The live stream: snapshots, changes, resuming, heads, limits and failures."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.app import PUBLISHER
from api.database import Database
from api.http.errors import ApiError
from api.stream.publisher import Publisher
from api.stream.recent_blocks import RecentBlocks
from api.stream.renderer import Renderer
from api.stream.topics import MAX_TOPICS, CandleTopic, Pair, Topics, read_topics
from settlement.core.journal.state_text import state_hash, state_text
from settlement.store.database import open_writer
from settlement.store.indexer_status import IndexerStatus, write_status
from settlement.store.write.initialise import initialise_from_state
from settlement.store.write.loader import load_or_initialise
from tests.support import databases
from tests.support.api_client import ApiClient
from tests.support.waiting import wait_until
from tests.system.api.examples import first_events, stream_example
from tests.system.api.mirror import Event, Mirror, Reading, listen, snapshot
from tests.system.api.world import World, small_world

EVERYTHING = "book,trades,candles:PEK/SWAP.HIVE:1m,account:alice,account:bob,block"


class Clock:
    """A clock that tests set. The publisher reads it once a poll."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now

    def wait_for_polls(self) -> None:
        """Until the publisher has completed a poll that began after this call."""
        enough = self.reads + 2
        wait_until(lambda: self.reads >= enough)


@pytest.fixture
def lively(tmp_path: Path) -> Iterator[World]:
    world = small_world(tmp_path)
    yield world
    world.close()


@contextmanager
def publishing(world: World, most: int = 100, **options: Any) -> Iterator[Publisher]:
    """A publisher without a server around it."""
    database = Database(world.url)
    publisher = Publisher(database, world.url, most, **options)
    try:
        yield publisher
    finally:
        publisher.close()
        database.close()


def reading(publisher: Publisher, topics: str = "book", last: str | None = None) -> Reading:
    subscriber = publisher.subscribe(read_topics(topics), last)
    return Reading(subscriber, subscriber.close)


def trade(world: World) -> None:
    """One block in which something happens to the book of PEK/SWAP.HIVE."""
    world.apply(world.order("alice", "sell", "10", "0.0119"), world.order("bob", "buy", "4", "0.0119"))


# ---------------------------------------------------------------- snapshot, changes, resuming


def test_a_snapshot_then_a_change_for_every_block_of_ours(lively: World) -> None:
    with publishing(lively) as publisher:
        stream = reading(publisher, EVERYTHING)
        first = stream.expect("snapshot")
        assert first.data["seq"] == 11
        assert first.id == f"11-{first.data['journal_hash'][:8]}"
        trade(lively)
        lively.apply()  # an irrelevant block: no event
        lively.apply(lively.deposit("alice", "HBD", "1.000"))  # ours, but in no book
        changes = [stream.expect("change").data for _ in range(2)]
        assert [(change["prev"], change["seq"]) for change in changes] == [(11, 12), (12, 13)]
        assert changes[0]["trades"][0]["trades"][0]["amount"] == "4.00000000"
        assert set(changes[1]) == {"seq", "prev", "block", "ts", "journal_hash", "accounts"}
        assert [account["user"] for account in changes[1]["accounts"]] == ["alice"]
        assert changes[1]["accounts"][0]["deposits"][0]["symbol"] == "HBD"


def test_only_what_was_asked_for(lively: World) -> None:
    with publishing(lively) as publisher:
        stream = reading(publisher, "book:PEK/HBD,account:carol")
        assert set(stream.expect("snapshot").data) == {
            *("seq", "block", "ts", "journal_hash", "books", "accounts")
        }
        trade(lively)
        assert set(stream.expect("change").data) == {"seq", "prev", "block", "ts", "journal_hash"}


def test_levels_that_a_block_left_as_they_were_are_not_told(lively: World) -> None:
    """An order that was placed and filled in one block never stood."""
    with publishing(lively) as publisher:
        stream = reading(publisher)
        stream.expect("snapshot")
        lively.apply(lively.order("bob", "buy", "1", "0.0125"))
        (book,) = stream.expect("change").data["books"]
        assert book["bids"] == []
        assert [level["price"] for level in book["asks"]] == ["0.012000"]


@pytest.mark.parametrize("missed", [0, 1, 5])
def test_a_listener_that_comes_back_gets_what_it_missed(lively: World, missed: int) -> None:
    with publishing(lively) as publisher:
        mirror, stream = Mirror(), reading(publisher)
        mirror.take(stream.expect("snapshot"))
        stream.close()
        for _ in range(missed):
            trade(lively)
        again = reading(publisher, "book", mirror.last)
        mirror.follow(again, 11 + missed)
        trade(lively)
        mirror.follow(again, 12 + missed)
        assert mirror.resets == 0
        assert mirror.picture() == snapshot(lively.client(), "book").picture()


@pytest.mark.parametrize("by", ["header", "parameter", "both"])
def test_it_resumes_by_header_or_parameter_and_across_servers(lively: World, by: str) -> None:
    """A server that was started a moment ago resumes what another one told. The header goes first."""
    last = snapshot(lively.client(), "book").last
    trade(lively)
    headers = {} if by == "parameter" else {"Last-Event-ID": last}
    given = {"header": "", "parameter": f"&last_event_id={last}", "both": "&last_event_id=1"}[by]
    response = lively.client().get(f"/api/stream?topics=book{given}", headers=headers, buffered=False)
    event = Reading(response.iter_encoded(), response.close).next()
    assert event is not None
    assert (event.name, event.data["prev"]) == ("change", 11)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("3", "too_old"),
        ("3-00000000", "too_old"),
        ("20-00000000", "unknown"),
        ("99999", "unknown"),
        ("20", None),
        ("", "unknown"),
        ("-1", "unknown"),
        ("1e3", "unknown"),
        ("9" * 4000, "unknown"),
        ("٣", "unknown"),
        ("20-", "unknown"),
        ("20\n", "unknown"),
    ],
)
def test_what_cannot_be_resumed_starts_anew(lively: World, last: str, reason: str | None) -> None:
    for _ in range(10):
        trade(lively)
    with publishing(lively, blocks=5) as publisher:
        stream = reading(publisher, "book", last)
        first = stream.expect("reset", "change", "snapshot")
        if reason is None:
            assert first.data["seq"] == 21
        else:
            assert (first.name, first.data) == ("reset", {"reason": reason})
            assert stream.expect("snapshot", "change").name == "snapshot"


def test_the_history_that_can_be_resumed_is_bounded(lively: World) -> None:
    with publishing(lively, blocks=5) as publisher:
        stream = reading(publisher)
        ids = [stream.expect("snapshot").id]
        for _ in range(8):
            trade(lively)
            ids.append(stream.expect("change").id)
        for back, last in enumerate(reversed(ids)):
            first = reading(publisher, "book", last).expect("reset", "change", "head")
            assert (first.name == "reset") == (back > 5), back


def test_a_gap_that_is_too_long_is_not_told_block_by_block(lively: World) -> None:
    with publishing(lively, blocks=5) as publisher:
        mirror, stream = Mirror(), reading(publisher)
        mirror.take(stream.expect("snapshot"))
        lively.apply_all([[lively.order("alice", "sell", "1", "0.02")] for _ in range(40)])
        assert stream.expect("reset", "change").data == {"reason": "started_anew"}
        mirror.take(stream.expect("snapshot"))
        assert mirror.seq == 51
        assert mirror.picture() == snapshot(lively.client(), "book").picture()


def test_unknown_accounts_of_those_who_resume_are_not_remembered(lively: World) -> None:
    """Otherwise a stranger could fill the memory: with 64 new names a request, each for up to 1,000 blocks."""
    for _ in range(3):
        trade(lively)
    database = Database(lively.url)
    with database.snapshot() as now:
        recent = RecentBlocks(now)
        renderer = Renderer(recent, now.connection)
        blocks = recent.since(recent.first, None)
        assert blocks
        renderer.changes(blocks, Topics(accounts=("alice",)))
        before = [len(block.parts) for block in blocks]
        for name in ("zoe", "yves", "xenia"):
            renderer.changes(blocks, Topics(accounts=(name,)))
        assert [len(block.parts) for block in blocks] == before
    database.close()


def test_before_the_first_block(fresh: World) -> None:
    with publishing(fresh) as publisher:
        stream = reading(publisher, EVERYTHING)
        first = stream.expect("snapshot").data
        assert (first["seq"], first["ts"], first["books"][0]["bids"]) == (0, None, [])
        fresh.apply(fresh.deposit("alice", "PEK", "10"))
        assert stream.expect("change").data["prev"] == 0


def test_a_pair_that_is_listed_later(lively: World) -> None:
    with publishing(lively) as publisher:
        stream = reading(publisher)
        stream.expect("snapshot")
        listing: dict[str, Any] = {
            "symbol": "SWAP.HIVE",
            "quote": "HBD",
            "priceDecimals": 3,
            "quantityDecimals": 0,
        }
        lively.apply(lively.action("peakecoin", "listPair", **listing))
        assert "books" not in stream.expect("change").data
        order: dict[str, Any] = {"symbol": "SWAP.HIVE", "quote": "HBD", "quantity": "1", "price": "0.5"}
        lively.apply(lively.action("carol", "buy", **order))
        (book,) = stream.expect("change").data["books"]
        assert (book["base"], book["quote"], len(book["bids"])) == ("SWAP.HIVE", "HBD", 1)
        assert (
            reading(publisher, "book:SWAP.HIVE/HBD").expect("snapshot").data["books"][0]["bids"]
            == book["bids"]
        )


def test_a_replica_that_began_with_a_state_text(lively: World, tmp_path: Path) -> None:
    rules = lively.rules
    lively.url = databases.url(tmp_path / "replica.db")
    lively.engine = open_writer(lively.url)
    initialise_from_state(lively.engine, rules.state.venue, state_text(rules.state), state_hash(rules.state))
    lively.rules, lively.projector = load_or_initialise(lively.engine)
    with publishing(lively) as publisher:
        mirror, stream = Mirror(), reading(publisher, EVERYTHING, "11-00000000")
        assert stream.expect("reset", "snapshot").data == {
            "reason": "unknown"
        }  # its blocks count from the state
        first = stream.expect("snapshot")
        assert (first.data["seq"], first.data["block"]) == (1, lively.block)
        (book,) = (book for book in first.data["books"] if book["quote"] == "SWAP.HIVE")
        assert [level["price"] for level in book["bids"]] == ["0.011500", "0.011000"]
        mirror.take(first)
        trade(lively)
        mirror.follow(stream, 2)
        assert mirror.resets == 0
        assert mirror.picture() == snapshot(lively.client(), EVERYTHING).picture()


# ---------------------------------------------------------------- one reader, many listeners


def test_subscribers_of_the_same_topics_share_one_chunk(lively: World) -> None:
    with publishing(lively) as publisher:
        subscribers = [
            publisher.subscribe(read_topics(topics), None) for topics in ["book"] * 20 + ["book,trades"] * 20
        ]
        for subscriber in subscribers:
            next(subscriber)
        trade(lively)
        chunks = [next(subscriber) for subscriber in subscribers]
        assert len({id(chunk) for chunk in chunks}) == 2


def test_no_more_than_so_many_at_once(lively: World) -> None:
    client = lively.client(streams=3)
    open_ones = [client.get("/api/stream?topics=block", buffered=False) for _ in range(3)]
    refused = client.get("/api/stream?topics=block")
    assert (refused.status_code, refused.content_type) == (503, "application/problem+json")
    assert refused.json["code"] == "E_STREAMS"
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get("/api/pairs").status_code == 200
    assert client.head("/api/stream?topics=block").status_code == 200
    open_ones.pop().close()
    open_ones.append(client.get("/api/stream?topics=block", buffered=False))
    assert open_ones[-1].status_code == 200
    for response in open_ones:
        response.close()
    assert client.application.extensions[PUBLISHER].streams == 0


def test_a_refused_request_takes_no_place(lively: World) -> None:
    with publishing(lively, most=1) as publisher:
        for _ in range(3):
            with pytest.raises(ApiError, match="no pair PEK/XYZ"):
                publisher.subscribe(read_topics("book:PEK/XYZ"), None)
        reading(publisher).expect("snapshot")


def test_a_client_that_takes_nothing_is_dropped_and_delays_nobody(lively: World) -> None:
    """Its socket is full and its thread stuck in writing; the other gets every change at once."""
    clock = Clock()
    with publishing(lively, clock=clock) as publisher:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        slow = publisher.subscribe(
            read_topics(EVERYTHING), None, disconnect=lambda: ours.shutdown(socket.SHUT_RDWR)
        )
        ended = threading.Event()

        def write() -> None:
            try:
                for chunk in slow:
                    ours.sendall(chunk)
            except OSError:
                pass
            finally:
                slow.close()
                ended.set()

        threading.Thread(target=write, daemon=True).start()
        quick = reading(publisher)
        quick.expect("snapshot")
        for _ in range(30):
            trade(lively)
            quick.expect("change")
            clock.now += 0.1
        assert not ended.is_set()
        clock.now += 11
        trade(lively)
        quick.expect("change")
        assert ended.wait(60)
        assert publisher.streams == 1
        trade(lively)
        assert quick.expect("change", "reset").name == "change"
        theirs.close()


# ---------------------------------------------------------------- heads and heartbeats


def name_of(event: Event | None) -> str | None:
    assert event is not None, "the stream has ended"
    return event.name


def test_heartbeats(lively: World) -> None:
    clock = Clock()
    with publishing(lively, clock=clock) as publisher:
        stream = reading(publisher)
        assert [name_of(stream.next()) for _ in range(2)] == ["snapshot", "head"]
        clock.now += 14.9
        trade(lively)
        assert stream.expect("change")
        stream.expect("head")
        clock.now += 14.9
        clock.wait_for_polls()
        clock.now += 0.2
        ping = stream.next()
        assert ping is not None
        assert (ping.name, ping.data) == (None, "ping")
        assert name_of(stream.next()) == "head"


def test_heads_tell_where_the_indexer_is_once_a_second_at_most(lively: World) -> None:
    clock = Clock()
    with publishing(lively, clock=clock) as publisher:
        stream = reading(publisher, "block")
        assert stream.expect("head").data == {
            "block": lively.block,
            "ts": "2026-09-21T14:13:53Z",
            "lag": None,
            "mode": None,
            "waiting_for": None,
        }
        status = IndexerStatus(int(lively.time), "following", lively.block + 4, None, None)
        write_status(lively.engine, status)
        clock.now += 1.0
        assert stream.expect("head").data["lag"] == 4
        for _ in range(5):
            lively.apply()
        clock.wait_for_polls()
        clock.now += 1.0
        head = stream.expect("head", "change")
        assert head.id is None
        assert head.data["block"] == lively.block
        write_status(lively.engine, status._replace(waiting_for="a node that answers"))
        clock.now += 1.0
        assert stream.expect("head").data["waiting_for"] == "a node that answers"


# ---------------------------------------------------------------- trouble with the database


def test_a_restored_copy_goes_on_where_the_old_database_was(lively: World, tmp_path: Path) -> None:
    """Another file with the same journal in the place of the old one: nobody needs to start anew."""
    with publishing(lively) as publisher:
        mirror, stream = Mirror(), reading(publisher, EVERYTHING)
        mirror.take(stream.expect("snapshot"))
        (tmp_path / "other").mkdir()
        other = small_world(tmp_path / "other")
        trade(other)
        other.close()
        replace(lively.path, other.path)
        mirror.take(stream.expect("change", "reset"))
        assert (mirror.seq, mirror.resets) == (12, 0)
        assert mirror.picture() == snapshot(lively.client(), EVERYTHING).picture()


def test_another_journal_in_the_same_place(lively: World, tmp_path: Path) -> None:
    with publishing(lively) as publisher:
        stream = reading(publisher)
        last = stream.expect("snapshot").id
        (tmp_path / "other").mkdir()
        other = World(tmp_path / "other")
        for _ in range(15):
            other.apply(other.deposit("alice", "PEK", "1"))
        other.close()
        replace(lively.path, other.path)
        assert stream.expect("reset").data == {"reason": "started_anew"}
        assert stream.expect("snapshot").data["seq"] == 15
        assert reading(publisher, "book", last).expect("reset", "change").data == {"reason": "unknown"}


def replace(path: Path, by: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    os.replace(by, path)


def test_a_database_that_goes_away_and_comes_back(lively: World, tmp_path: Path) -> None:
    clock = Clock()
    with publishing(lively, clock=clock) as publisher:
        stream = reading(publisher)
        stream.expect("snapshot")
        lively.close()
        shutil.move(lively.path, tmp_path / "away")
        assert stream.expect("head").data["block"] == lively.block
        clock.now += 2
        waits = stream.expect("head").data
        assert waits["waiting_for"] == "The database does not answer."
        assert waits["block"] == lively.block
        with pytest.raises(ApiError, match="not there yet"):
            reading(publisher)
        shutil.move(tmp_path / "away", lively.path)
        clock.now += 2
        assert stream.expect("head").data["waiting_for"] is None
        trade(lively)
        assert stream.expect("change", "reset").data["prev"] == 11


def test_a_read_that_fails_loses_nothing(lively: World) -> None:
    """A table that every read needs is missing while a block is recorded."""
    clock = Clock()
    with publishing(lively, clock=clock) as publisher:
        mirror, stream = Mirror(), reading(publisher, EVERYTHING)
        mirror.take(stream.expect("snapshot"))
        stream.expect("head")
        rename(lively, "indexer_status", "hidden")
        trade(lively)
        clock.now += 2
        assert stream.expect("head", "change").data["waiting_for"] == "The database does not answer."
        rename(lively, "hidden", "indexer_status")
        for _ in range(3):
            trade(lively)
        clock.now += 2
        while mirror.seq < 15:
            mirror.take(stream.expect("change", "reset", "snapshot"))
        assert mirror.picture() == snapshot(lively.client(), EVERYTHING).picture()


def rename(world: World, old: str, new: str) -> None:
    with world.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    client = world.client()
    world.engine.dispose()
    world.path.unlink()
    refused = client.get("/api/stream?topics=block")
    assert (refused.status_code, refused.json["code"]) == (503, "E_NOT_READY")


def test_closing_the_publisher_ends_its_streams(lively: World) -> None:
    with publishing(lively) as publisher:
        stream = reading(publisher)
        stream.expect("snapshot")
    stream.rest()


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    "topics",
    [
        "",
        ",",
        "book,",
        "books",
        "book:",
        "book:PEK",
        "book:PEK/",
        "book:/PEK",
        "book:pek/swap.hive",
        "book:PEK/SWAP.HIVE:1m",
        "book:PEK/SWAP.HIVE/X",
        "candles",
        "candles:PEK/SWAP.HIVE",
        "candles:PEK/SWAP.HIVE:2m",
        "candles:PEK/SWAP.HIVE:1m:1m",
        "candles:1m",
        "account",
        "account:",
        "account:A",
        "account:alice:bob",
        "account:ali%00ce",
        "account:%F0%9F%A6%8A",
        "block:1",
        "BOOK",
        " book",
        "book%0A",
        "__init__",
        "trade",
        "account:'; DROP TABLE orders",
        "x" * 2_000,
        ",".join(["block"] * (MAX_TOPICS + 1)),
    ],
)
def test_hostile_topics(client: ApiClient, topics: str) -> None:
    response = client.get(f"/api/stream?topics={topics}")
    assert response.status_code == 400
    assert response.json["code"] == "E_INPUT"
    assert response.json["error"].startswith("topics")
    assert len(response.json["error"]) < 300


def test_more_hostile_requests(client: ApiClient) -> None:
    assert client.get("/api/stream").json["error"].startswith("topics is missing")
    assert client.get("/api/stream?topics=block&topics=book").status_code == 400
    assert client.get("/api/stream?topics=block&last_event_id=" + "9" * 200).status_code == 400
    assert client.get("/api/stream?topics=" + "x" * 5_000).status_code in (400, 414)
    assert client.get("/api/stream?topics=block&limit=1").status_code == 400
    assert client.get("/api/stream?topics=book:XXX/YYY").json["code"] == "E_PAIR"
    assert client.post("/api/stream?topics=block").status_code == 405


def test_topics_are_read_once_each() -> None:
    wanted = "trades:PEK/HBD,book:PEK/HBD,book:PEK/HBD,account:bob,account:alice,candles:PEK/HBD:1w,block"
    pair = Pair("PEK", "HBD")
    candles = CandleTopic(pair, "1w")
    assert read_topics(wanted) == Topics((pair,), (pair,), (candles,), ("alice", "bob"))
    assert read_topics("book:PEK/HBD,book,block,block") == Topics(books=None)


def test_headers(lively: World) -> None:
    client = lively.client()
    head = client.head("/api/stream?topics=block")
    response = client.get("/api/stream?topics=block", buffered=False, headers={"Accept-Encoding": "gzip, br"})
    assert response.content_type == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in response.headers
    assert "Content-Length" not in response.headers
    assert next(response.iter_encoded()).startswith(b"retry: 2000\n\nevent: snapshot\n")
    response.close()
    assert (head.status_code, head.content_type, head.data) == (200, "text/event-stream", b"")


def test_an_unknown_account_is_an_empty_one_until_it_is_seen(lively: World) -> None:
    stream = listen(lively.client(), "account:zoe")
    assert stream.expect("snapshot").data["accounts"] == [
        {"user": "zoe", "balances": [], "orders": [], "grants": [], "timers": []}
    ]
    lively.apply(lively.deposit("zoe", "PEK", "1"))
    (account,) = stream.expect("change").data["accounts"]
    assert account["balances"][0]["available"] == "1.00000000"


def test_the_example_of_the_documentation(lively: World) -> None:
    address, events = stream_example()
    assert first_events(lively.client(), address) == events
