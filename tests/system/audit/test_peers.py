"""Replicas that compare their hashes over HTTP: who agrees, who differs and from where, and hostile peers."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection, Engine, select, update
from werkzeug.serving import make_server

from api.app import create_app
from indexer.audit.checkpoints import RECENT_CHECKPOINTS, CheckpointVerifier
from indexer.audit.peers import LIMITS, PeerError, PeerMonitor, parse_url
from settlement.net.http_client import Limits
from settlement.store import schema
from settlement.store.database import open_reader
from settlement.store.indexer_status import IndexerStatus, write_status
from settlement.store.read.audit.state_at_block import read_state_hash
from tests.support.databases import KINDS
from tests.support.waiting import wait_until
from tests.system.api.world import VENUE, World

Make = Callable[..., World]
Answer = Callable[[BaseHTTPRequestHandler], object]
EVERY = 5
READERS: list[Engine] = []
ON_BOTH = (
    "test_claims_are_judged_as_they_come",
    "test_journals_alike_and_a_changed_balance_is_a_difference_in_the_state",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function.__name__ in ON_BOTH:
        metafunc.parametrize("database_kind", KINDS, indirect=True, scope="session")


def busy(world: World, blocks: int, odd: int | None = None) -> None:
    """The same blocks in every world; `odd` is one in which this world reads something else."""
    world.apply(world.deposit("alice", "PEK", "1000"), world.deposit("bob", "SWAP.HIVE", "10"))
    for number in range(world.block + 1, world.block + blocks):
        event = world.order("alice", "sell", "1", "0.5")
        if number == odd:
            event = world.order("alice", "sell", "2", "0.5")
        world.apply(*([event] if number % 3 == 0 or number == odd else []))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def make(blocks: int = 30, odd: int | None = None, venue: str = VENUE) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(World(folder, venue))
        busy(made[-1], blocks, odd)
        return made[-1]

    yield make
    while READERS:
        READERS.pop().dispose()
    for world in made:
        world.close()


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For peers that give no usable answer."""
    world = World(tmp_path_factory.mktemp("idle"))
    busy(world, 2)
    yield world
    world.close()


def reader(world: World) -> Engine:
    READERS.append(open_reader(world.url))
    return READERS[-1]


@contextmanager
def served(world: World, port: int = 0) -> Iterator[str]:
    """Its API over HTTP."""
    server = make_server("127.0.0.1", port, create_app(world.settings()), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask(world: World, *urls: str, ready: bool = True, limits: Limits = LIMITS) -> PeerMonitor:
    """Check each peer once."""
    peers = PeerMonitor(urls, reader(world), lambda: ready, EVERY, limits=limits)
    for peer in peers.peers:
        peer.check()
    return peers


def steal(world: World) -> None:
    """A unit from alice to bob, in the rows alone."""
    a = schema.accounts.c
    with world.engine.begin() as connection:
        for name, change in (("alice", -1), ("bob", 1)):
            of = select(a.id).where(a.name == name).scalar_subquery()
            for table in (schema.balances, schema.balance_changes):
                c = table.c
                changed = update(table).where(c.account_id == of)
                connection.execute(changed.values(available=c.available + change))


# -- replicas ---------------------------------------------------------------------------------------


def test_peers_that_replay_the_same_agree_wherever_they_stand(make: Make) -> None:
    ours, behind, ahead = make(30), make(22), make(41)
    with served(behind) as one, served(ahead) as two:
        first, second = (peer.status for peer in ask(ours, one, two).peers)
    assert (first.state, first.block, first.lag, first.common_block) == ("agrees", 1021, 8, 1021)
    assert (second.state, second.block, second.lag, second.common_block) == ("agrees", 1040, 0, 1029)
    assert first.state_block == 1020
    assert second.state_block == 1023  # the newest of ours up to 1025
    assert first.error is None is second.differs_at


@pytest.mark.parametrize("seed", range(2))
def test_the_first_block_that_differs_is_found(
    make: Make, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    odd = random.Random(seed).randrange(1001, 1033)
    ours, other = make(33), make(40, odd)
    with served(other) as url:
        peers = ask(ours, url)
        (peer,) = peers.peers
        status = peer.status
        assert (status.state, status.differs_in, status.differs_at) == ("disagrees", "journal", odd)
        assert (
            f"DISAGREEMENT: peer {url}: its journal differs from this replica's from block {odd} on"
            in caplog.text
        )
        caplog.clear()
        peer.check()  # said once
    assert peer.status.differs_at == odd
    assert "DISAGREEMENT" not in caplog.text
    peer.check()  # now it is away: what it did is not forgotten
    assert (peer.status.state, peer.status.error) == ("disagrees", "no connection")


def test_journals_alike_and_a_changed_balance_is_a_difference_in_the_state(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ours, other = make(), make()
    steal(other)
    with served(other) as url:
        assert ask(ours, url, ready=False).peers[0].status.state == "agrees"  # journals do
        peers = ask(ours, url)
        status = peers.peers[0].status
        peers.peers[0].check()
        assert peers.peers[0].status.state == "disagrees"
    assert (status.state, status.differs_in, status.differs_at) == ("disagrees", "state", 1023)
    assert "its state of block 1023 differs from this replica's" in caplog.text


def test_a_reader_of_ours_that_lags_makes_nobody_a_liar(make: Make) -> None:
    ours, behind = make(30), make(25)
    with served(make(30)) as url:
        readers = Hop(ours, behind)
        peers = PeerMonitor((url,), cast(Engine, readers), lambda: True, EVERY)
        peers.peers[0].check()
    assert readers.asked == 2
    status = peers.peers[0].status
    assert (status.state, status.error) == (
        "unknown",
        "this standby lags: compared again later",
    )


class Hop:
    """Readers of a cluster: a connection to one, then to another."""

    def __init__(self, *worlds: World) -> None:
        self._engines = [reader(world) for world in worlds]
        self.asked = 0

    def connect(self) -> Connection:
        self.asked += 1
        return self._engines[self.asked - 1].connect()


def test_a_peer_that_is_repaired_agrees_again(make: Make) -> None:
    ours, other, repaired = make(), make(odd=1010), make()
    with served(other) as url:
        (peer,) = ask(ours, url).peers
        assert peer.status.state == "disagrees"
    with served(repaired, int(url.rpartition(":")[2])):
        peer.check()
    status = peer.status
    assert (status.state, status.differs_in, status.differs_at) == ("agrees", None, None)


def test_another_venue_is_no_peer(make: Make) -> None:
    ours, other = make(), make(venue=VENUE.replace("maker_fee_bps = 10", "maker_fee_bps = 11"))
    with served(other) as url:
        status = ask(ours, url).peers[0].status
    assert status.state == "unknown"
    assert status.error == f"it belongs to another venue ({other.rules.state.venue_hash[:16]}…)"


# -- what is no address -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "other", "ftp://host", "http://", "http://host:x", "http://[", "http://host?x=1", "file:///etc"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match="write https://HOST"):
        parse_url(text)


def test_an_address_is_shown_to_everybody_and_holds_no_password() -> None:
    with pytest.raises(PeerError, match="remove user and password"):
        parse_url("https://me:secret@host")
    assert parse_url("https://host/dex/api/") == "https://host/dex"


# -- hostile peers ----------------------------------------------------------------------------------


@contextmanager
def hostile(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def body(raw: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(raw)))
        request.end_headers()
        with contextlib.suppress(OSError):  # the other side may have had enough
            request.wfile.write(raw)

    return answer


def told(**changes: object) -> bytes:
    values = {"block": 1020, "venue_hash": "0" * 64, "journal_hash": "f" * 64}
    return json.dumps({**values, **changes}).encode()


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(b" " * 65536)
    except OSError:
        pass


def dripping(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    try:
        for _ in range(5000):
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.02)
    except OSError:
        pass


HOSTILE = {
    "not JSON": (body(b"<html>"), "not an answer of this API"),
    "nothing": (body(b""), "not an answer of this API"),
    "deep": (body(b"[" * 200_000), "not an answer of this API"),
    "a list": (body(b"[]"), "not an answer of this API"),
    "latin": (body(b'{"block": "\xff"}'), "not an answer of this API"),
    "negative": (body(told(block=-1)), "not an answer of this API"),
    "a huge number": (body(told(block=10**30)), "not an answer of this API"),
    "a float": (body(told(block=1.5)), "not an answer of this API"),
    "no hash": (body(told(journal_hash="xyz")), "not an answer of this API"),
    "markup": (body(told(venue_hash="<img src=x>")), "not an answer of this API"),
    "packed": (body(gzip.compress(b" " * 10**6), Content_Encoding="gzip"), "not an answer of this API"),
    "nothing yet": (body(told(block=None)), "its database is still empty"),
    "another venue": (body(told()), "another venue"),
    "a redirection": (body(b"", 302, Location="http://127.0.0.1:1/"), "HTTP status 302"),
    "an error": (body(b"", 500), "HTTP status 500"),
    "endless": (endless, "is longer than 1048576 bytes"),
    "dripping": (dripping, "no answer in time"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_peer_gets_no_verdict(idle: World, kind: str) -> None:
    limits = Limits(60.0, 60.0, 0.5 if kind == "dripping" else 60.0, 1 << 20)
    answer, words = HOSTILE[kind]
    with hostile(answer) as url:
        status = ask(idle, url, limits=limits).peers[0].status
    assert words in str(status.error)
    assert status.state == "unknown"


def test_a_liar_is_an_alarm_and_its_lies_end(make: Make) -> None:
    """Every journal hash another one, and no state hash: the search among its blocks ends."""
    ours = make()
    asked: list[str] = []

    def lie(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        number = request.path.rpartition("/")[2]
        hashes = {
            "venue_hash": ours.rules.state.venue_hash,
            "journal_hash": f"{random.getrandbits(256):064x}",
        }
        values = {"block": 2000, **hashes, "number": int(number) if number.isdigit() else 0}
        body(json.dumps(values).encode())(request)

    with hostile(lie) as url:
        status = ask(ours, url).peers[0].status
    assert (status.state, status.differs_at) == ("disagrees", 1000)
    assert len(asked) < 12

    def evade(request: BaseHTTPRequestHandler) -> None:
        values = {"block": 2000, "venue_hash": ours.rules.state.venue_hash, "journal_hash": "0" * 64}
        body(json.dumps({**values, "number": 7}).encode())(request)

    with hostile(evade) as url:
        status = ask(ours, url).peers[0].status
    assert (status.state, status.error) == ("unknown", "block 1029 was requested, 7 returned")


def test_what_a_liar_says_changes_nothing_of_ours(make: Make) -> None:
    """A peer that is ahead, with another journal and state for each block."""
    ours = make()

    def rows() -> dict[str, list[tuple[object, ...]]]:
        with reader(ours).connect() as connection:
            tables = schema.metadata.sorted_tables
            return {table.name: [tuple(row) for row in connection.execute(select(table))] for table in tables}

    def lie(request: BaseHTTPRequestHandler) -> None:
        hashes = {"venue_hash": ours.rules.state.venue_hash, "journal_hash": "0" * 64, "state_hash": "0" * 64}
        number = request.path.rpartition("/")[2]
        values = {"block": 9000, "number": int(number) if number.isdigit() else 9000, **hashes}
        body(json.dumps(values).encode())(request)

    before = rows()
    assert before["blocks"]
    with hostile(lie) as url:
        assert ask(ours, url).peers[0].status.state == "disagrees"
    assert rows() == before


def test_one_that_never_answers_holds_up_nobody(make: Make) -> None:
    """Its thread waits alone: others are asked, the report says so, and the end does not wait for it."""
    ours, other = make(), make()
    over = threading.Event()
    with hostile(lambda _: over.wait(600)) as silent, served(other) as good:
        with PeerMonitor((silent, good), reader(ours), lambda: True, EVERY, silent_seconds=0.3) as peers:

            def both_known() -> list[dict[str, object]] | None:
                first, second = json.loads(peers.report())
                return [first, second] if second["state"] == "agrees" and first["error"] else None

            first, second = wait_until(both_known, what=peers.report)
            began = time.monotonic()
        assert time.monotonic() - began < 240
        over.set()
    assert (first["state"], first["error"]) == ("unknown", "the answer takes too long")
    assert second["state"] == "agrees"


# -- the operator's claims --------------------------------------------------------------------------


def claim(world: World, of: int, state: str, journal: str) -> None:
    world.apply(world.action("peakecoin", "checkpoint", block=of, stateHash=state, journalHash=journal))


def hashes(world: World, block: int) -> tuple[str, str]:
    with reader(world).connect() as connection:
        b = schema.blocks.c
        journal = connection.scalars(select(b.journal_hash).where(b.number == block)).one()
        return read_state_hash(connection, block), journal


def shown(world: World) -> list[tuple[int, bool | None, bool | None]]:
    rows = world.client().get("/api/checkpoints").json["checkpoints"]
    return [(row["claimed_block"], row["agrees"], row["state_agrees"]) for row in rows]


def told_by(world: World, claims: CheckpointVerifier) -> None:
    claims.verify_new()
    write_status(
        world.engine, IndexerStatus(world.time, "following", world.block, None, None, claims=claims.report())
    )


def test_claims_are_judged_as_they_come(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "peakedex.checkpoints")
    world, ready = make(), threading.Event()
    claims = CheckpointVerifier(reader(world), ready.is_set)
    claims.verify_new()
    state, journal = hashes(world, 1023)
    claim(world, 1023, state, journal)
    told_by(world, claims)
    assert shown(world) == [(1023, True, None)]  # no indexes yet: the state waits
    ready.set()
    told_by(world, claims)
    assert shown(world) == [(1023, True, True)]
    assert "checkpoint of block 1023: journal and state agree" in caplog.text
    assert world.client().get("/api/health").json["alarms"] == []
    claim(world, 1023, "0" * 64, journal)
    told_by(world, claims)
    claim(world, 1023, state, "0" * 64)
    claim(world, 1024, state, journal)  # nothing of ours happened in it: its state names an id that is gone
    told_by(world, claims)
    assert shown(world)[:3] == [(1024, True, None), (1023, False, None), (1023, True, False)]
    assert caplog.text.count("DISAGREEMENT") == 2
    health = world.client().get("/api/health").json
    assert health["alarms"] == [
        "A checkpoint of block 1023 by peakecoin has a different journal hash than this replica.",
        "A checkpoint of block 1023 by peakecoin has a different state hash than this replica.",
    ]
    client = world.client()
    metrics = client.get("/metrics").text
    assert "peakedex_checkpoints_disagreeing 2.0" in metrics
    assert "peakedex_checkpoint_block 1024.0" in metrics
    world.apply()
    told_by(world, claims)  # the next heartbeat
    assert client.get("/api/ready").status_code == 200  # an alarm is not a stop


def test_a_changed_row_disagrees_with_the_next_honest_claim(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make()
    state, journal = hashes(world, 1023)
    steal(world)
    claim(world, 1023, state, journal)
    claims = CheckpointVerifier(reader(world), lambda: True)
    told_by(world, claims)
    assert shown(world) == [(1023, True, False)]
    assert "claims the state hash" in caplog.text


def test_after_a_start_the_newest_claims_are_judged_again(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(5)
    for _ in range(RECENT_CHECKPOINTS + 5):
        claim(world, 1000, "0" * 64, "f" * 64)
    CheckpointVerifier(reader(world), lambda: True).verify_new()
    assert caplog.text.count("DISAGREEMENT") == RECENT_CHECKPOINTS


def test_peers_are_told_by_the_api(make: Make) -> None:
    ours, other = make(), make(odd=1010)
    client = ours.client()
    assert client.get("/api/peers").json["peers"] == []
    with served(other) as url:
        peers = ask(ours, url, "http://127.0.0.1:1")
    answered = peers.peers[0].status.answered
    assert answered is not None
    status = IndexerStatus(int(answered) + 5, "following", ours.block, None, None, peers=peers.report())
    first = client.get("/api/peers").headers["ETag"]
    write_status(ours.engine, status)
    answer = client.get("/api/peers", headers={"If-None-Match": first})
    assert answer.status_code == 200  # no block has come meanwhile, but an answer has
    one, two = answer.json["peers"]
    assert (one["state"], one["differs_in"], one["differs_at"]) == ("disagrees", "journal", 1010)
    assert one["answered"].endswith("Z")
    assert (two["state"], two["answered"]) == ("unknown", None)
    assert two["error"] == "no connection"
    alarm = f"The journal of the peer {url} differs from this replica at block 1010."
    assert client.get("/api/health").json["alarms"] == [alarm]
    text = client.get("/metrics").text
    assert f'peakedex_peer_disagrees{{url="{url}"}} 1.0' in text
    assert 'peakedex_peer_up{url="http://127.0.0.1:1"} 0.0' in text
    assert f'peakedex_peer_common_block{{url="{url}"}} 1029.0' in text
    assert f'peakedex_peer_silent_seconds{{url="{url}"}} 5.0' in text
