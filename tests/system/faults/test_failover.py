"""Failover: a primary dies, its synchronous standby is promoted, and the indexer continues without loss.

Real servers with streaming replication on loopback, a real `peakedex follow` with both hosts in its URL, and a
real `peakedex serve` that reads from the standby.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from indexer.cli.follow import reconnecting
from settlement.core.journal.state_text import state_hash
from settlement.store.database import StoreError, open_reader
from settlement.store.write.loader import load
from tests.support.ports import free_port
from tests.support.postgres import Server, execute
from tests.support.waiting import wait_until
from tests.system.cli.world import Process, running
from tests.system.follow.test_kill import ticking
from tests.system.follow.world import Outcome, World, check
from tests.system.store.chains import VENUE_TEXT, dump, journal

SECONDS = 240
REPLICATED = {"wal_level": "replica", "max_wal_senders": "5", "synchronous_commit": "on", "hot_standby": "on"}
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'peakedex' AND wait_event IN ({})"


class Pair:
    """A primary and its synchronous hot standby."""

    def __init__(self) -> None:
        self.primary, self.standby = (Server(free_port(), **REPLICATED) for _ in range(2))

    def start(self) -> None:
        self.primary.create()
        self.primary.start()
        execute(self.primary.url("postgres"), "CREATE DATABASE dex")
        self.standby.copy(self.primary, "standby")
        self.standby.start()
        execute(
            self.primary.url("postgres"),
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
            "SELECT pg_reload_conf()",
        )
        wait_until(self.is_synchronous, "a standby that streams")

    def is_synchronous(self) -> bool:
        return execute(self.primary.url("postgres"), "SELECT sync_state FROM pg_stat_replication") == [
            ("sync",)
        ]

    def url(self, **options: str) -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://postgres@{hosts}/dex?{query}"

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.stop()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


@contextmanager
def in_the_batch(pair: Pair) -> Iterator[None]:
    """Kill the primary while the indexer, at the last statement of a batch, waits for a lock."""
    with psycopg.connect(pair.primary.url("dex")) as other:
        other.execute("LOCK TABLE cursor IN SHARE MODE")
        wait_until(
            lambda: execute(pair.primary.url("dex"), WAITING.format("'relation'")) > [(0,)],
            "a commit that waits for the standby",
        )
        yield
        pair.primary.kill()
        other.close()


@contextmanager
def in_the_commit(pair: Pair) -> Iterator[None]:
    """Kill the primary while a commit waits for the confirmation of a suspended standby.

    Projector, status and heartbeat all wait then: one for the standby, the others for their turn.
    """
    (receiver,) = execute(pair.standby.url("dex"), "SELECT pid FROM pg_stat_wal_receiver")
    os.kill(receiver[0], signal.SIGSTOP)
    waiting = WAITING.format("'SyncRep', 'object'")
    wait_until(
        lambda: execute(pair.primary.url("dex"), waiting) == [(3,)], "a commit that waits for the standby"
    )
    yield
    pair.primary.kill()
    os.kill(receiver[0], signal.SIGCONT)


class Visitor:
    """Requests the API continuously; keeps status and block of each response."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/pairs"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen: list[tuple[int, int]] = []

    def ask(self) -> tuple[int, int]:
        try:
            with urllib.request.urlopen(self._url, timeout=120) as answer:
                return answer.status, json.load(answer)["block"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, int(error.headers.get("Retry-After", 0))
        except OSError:
            return 0, 0

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.seen.append(self.ask())

    def __enter__(self) -> Visitor:
        wait_until(lambda: self.ask()[0] == 200, "the API's answer")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def block_of(url: str) -> int:
    found = execute(url, "SELECT block FROM cursor")
    return int(found[0][0]) if found else 0


@pytest.mark.parametrize("moment", [in_the_batch, in_the_commit])
def test_the_indexer_continues_on_the_promoted_standby(pair: Pair, tmp_path: Path, moment: Any) -> None:
    (tmp_path / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    standby, port = pair.standby.url("dex"), free_port()
    with World(seed=5, servers=1, ops=4, blocks=30) as world:
        (node,) = world.servers
        nodes = ("--node", node.url, "--engine-node", node.engine_url, "--trust-single-node")
        words = ("--venue", "venue.toml", *nodes, "--chain-id", "devnet")
        reading = ("--db", pair.url(target_session_attrs="prefer-standby"), "--port", port, "--workers", 1)
        with ticking(world), running(tmp_path, "follow", *words, "--db", pair.url()) as follow:
            wait_until(
                lambda: pair.primary.answers() and _has_blocks(follow, pair.primary.url("dex")),
                "the next block",
            )
            with running(tmp_path, "serve", *reading), Visitor(port) as visitor:
                with moment(pair):
                    recorded = block_of(standby)
                execute(pair.standby.url("postgres"), "SELECT pg_promote()")
                follow.wait_until(lambda: block_of(standby) > recorded + 5, SECONDS)
                goal = world.node.chain.irreversible
                follow.wait_until(lambda: block_of(standby) >= goal, SECONDS)
                wait_until(lambda: visitor.ask()[1] >= goal, "the API at the last block")
            assert {status for status, _ in visitor.seen} <= {200, 503}
            blocks = [block for status, block in visitor.seen if status == 200]
            assert blocks == sorted(blocks), "the API went back"
            assert follow.said.count("database connection lost") >= 1
            follow.end()
            assert follow.run.returncode == 0, follow.said
        reader = open_reader(pair.url())
        rules = load(reader)
        reached = rules.next_block() - 1
        outcome = Outcome(journal(reader), state_hash(rules.state), dump(reader))
        reader.dispose()
        check(world, outcome, reached, tmp_path / "calm")


def _has_blocks(follow: Process, url: str) -> bool:
    assert follow.run.poll() is None, follow.said
    try:
        return block_of(url) > 5
    except psycopg.errors.UndefinedTable:
        return False


def test_only_lost_connections_are_retried(caplog: pytest.LogCaptureFixture) -> None:
    """A lost connection is retried with the state loaded anew; other errors, and a stop, end it at once."""
    lost = StoreError("gone")
    lost.__cause__ = OperationalError(
        "SELECT 1", {}, psycopg.OperationalError("server closed the connection")
    )
    wrong = StoreError("another process is writing to this database")
    ends: list[Exception | None] = [lost, lost, None]

    def follow_on() -> None:
        end = ends.pop(0)
        if end is not None:
            raise end

    engine = create_engine("sqlite://")
    reconnecting(follow_on, engine, threading.Event())
    assert caplog.messages == [
        f"database connection lost (gone): reconnecting in {pause} s" for pause in (0.25, 0.5)
    ]
    ends.append(wrong)
    with pytest.raises(StoreError, match="another process"):
        reconnecting(follow_on, engine, threading.Event())
    stop = threading.Event()
    ends.append(lost)
    stop.set()
    reconnecting(follow_on, engine, stop)
    assert ends == [lost]
