"""`peakedex follow` as an operator runs it: a process beside a node that makes blocks all the time."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
import requests
from sqlalchemy.exc import SQLAlchemyError

from indexer.devnet.node import DevNode
from indexer.devnet.server import Devnet, NodeServer, start_devnet
from indexer.devnet.traders.bots import Bots
from indexer.devnet.venue import read_venue
from settlement.store.database import StoreError, open_reader
from settlement.store.indexer_status import IndexerStatus, read_status
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.command import OK, clean_environment, peakedex
from tests.system.store.chains import VENUE_TEXT, journal, kinds

BLOCK_TIME = 0.2
LATEST = 240.0
"""Seconds in which anything that is waited for must come about."""


class Market:
    """A devnet with bots on it, from its first block on."""

    def __init__(self) -> None:
        view = read_venue(VENUE_TEXT)
        self._crowd: Bots | None = None
        self.devnet: Devnet = start_devnet(view, block_time=BLOCK_TIME, after_block=self._act)
        crowd = Bots(self.devnet.node, view, traders=4)
        crowd.start()
        crowd.quote_all()
        self._crowd = crowd

    def _act(self) -> None:
        if self._crowd is not None:
            self._crowd.step()

    @property
    def irreversible(self) -> int:
        return self.devnet.node.chain.irreversible


@pytest.fixture
def market() -> Iterator[Market]:
    market = Market()
    try:
        yield market
    finally:
        market.devnet.stop()


class Follower:
    """A `peakedex follow` process on `dex.db`, which logs into `log`."""

    def __init__(self, url: str, log: TextIO) -> None:
        nodes = ("--node", url, "--engine-node", f"{url}/engine", "--trust-single-node")
        words = ("--venue", "venue.toml", "--db", "dex.db", *nodes, "--chain-id", "devnet")
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "indexer.cli", "follow", *words],
            stderr=log,
            env=clean_environment(),
        )

    def until(self, happened: Callable[[], Any]) -> Any:
        """Wait until that is true, as long as the process lives. Looking again and again is all we can do."""

        def goes_on() -> Any:
            found = happened()
            if not found and self.process.poll() is not None:
                pytest.fail(f"it ended with {self.process.returncode}: {self.said()}")
            return found

        return wait_until(goes_on, timeout=LATEST, what=self.said, poll=0.05)

    def stop(self, number: signal.Signals) -> None:
        """Send the signal, and wait until the process has ended well."""
        self.process.send_signal(number)
        assert self.process.wait(LATEST) == OK, self.said()

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()


@contextmanager
def following(url: str) -> Iterator[Follower]:
    with Path("follow.log").open("a+", encoding="utf-8") as log:
        follower = Follower(url, log)
        try:
            yield follower
        finally:
            if follower.process.poll() is None:
                follower.process.kill()
                follower.process.wait()


def cursor() -> int:
    """The last block recorded, 0 while there is no database."""
    if not Path("dex.db").exists():
        return 0
    with closing(sqlite3.connect("file:dex.db?mode=ro", uri=True)) as plain:
        try:
            row = plain.execute("SELECT block FROM cursor").fetchone()
        except sqlite3.OperationalError:
            return 0
    return int(row[0]) if row else 0


def status() -> IndexerStatus | None:
    with open_reader("dex.db").connect() as connection:
        return read_status(connection)


def ask(url: str, method: str, **params: Any) -> Any:
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return requests.post(url, json=body, timeout=LATEST).json()["result"]


def record(devnet: Devnet, last: int, folder: Path) -> Path:
    """What the node served, as an archive: blocks 1 to `last`, and the sidechain's receipts for them."""
    folder.mkdir()
    with (folder / "blocks.jsonl").open("w") as blocks, (folder / "receipts.jsonl").open("w") as receipts:
        for first in range(1, last + 1, 100):
            count = min(100, last - first + 1)
            found = ask(devnet.url, "block_api.get_block_range", starting_block_num=first, count=count)
            for block in found["blocks"]:
                blocks.write(json.dumps(block) + "\n")
        for number in range(1, last + 1):
            row = ask(f"{devnet.engine_url}/blockchain", "getBlockInfoByHiveBlock", hiveBlockNumber=number)
            if row is not None:
                receipts.write(json.dumps(row) + "\n")
    return folder


def real_balances() -> dict[str, str]:
    """Units by symbol; none while there is no database."""
    if not Path("dex.db").exists():
        return {}
    with closing(sqlite3.connect("file:dex.db?mode=ro", uri=True)) as plain:
        try:
            return dict(plain.execute("SELECT symbol, units FROM escrow_balances").fetchall())
        except sqlite3.OperationalError:
            return {}


@pytest.mark.usefixtures("venue")
def test_it_reads_the_real_balances_of_escrow_accounts(market: Market) -> None:
    with following(market.devnet.url) as follower:
        follower.until(lambda: {"HBD", "PEK", "SWAP.HIVE"} <= real_balances().keys())
        follower.stop(signal.SIGTERM)
        assert "real balances" not in follower.said()
    assert int(real_balances()["HBD"]) > 0


@pytest.mark.usefixtures("venue")
def test_it_follows_stops_and_goes_on_and_the_journal_is_that_of_a_replay(here: Path, market: Market) -> None:
    url = market.devnet.url
    with following(url) as follower:
        follower.until(lambda: cursor() >= market.irreversible > 10)
        follower.stop(signal.SIGTERM)
    first = cursor()
    assert first > 10
    with following(url) as follower:
        target = market.irreversible + 15
        follower.until(lambda: cursor() >= target)
        follower.until(lambda: (now := status()) is not None and now.mode == "following")
        follower.stop(signal.SIGINT)
    last = cursor()
    assert last >= target > first
    ended = status()
    assert ended is not None
    assert (ended.mode, ended.waiting_for) == ("stopped", None)
    archive = record(market.devnet, last, here / "recorded")
    replayed = peakedex(
        "replay", "--venue", "venue.toml", "--archive", archive, "--db", "replayed.db", "--json"
    )
    assert replayed.code == OK, replayed.err
    followed = peakedex("state", "--db", "dex.db", "--json").json
    assert followed["block"] == replayed.json["last_block"] == last
    assert followed["state_hash"] == replayed.json["state_hash"]
    assert followed["journal_hash"] == replayed.json["journal_hash"]
    text = peakedex("journal", "--db", "dex.db").out
    assert text == peakedex("journal", "--db", "replayed.db").out == journal(open_reader("dex.db"))
    assert kinds(text).keys() >= {"deposit", "order", "trade", "close"}


@pytest.mark.usefixtures("venue")
def test_a_node_that_is_down_at_the_start_is_waited_for() -> None:
    """The database says what is waited for, and since when; once the node is there, it goes on."""
    node = DevNode()
    node.prepare(read_venue(VENUE_TEXT))
    for _ in range(30):
        node.tick()
    port = free_port()
    with following(f"http://127.0.0.1:{port}") as follower:
        follower.until(lambda: Path("dex.db").exists() and cursor() == 0)
        waiting = follower.until(
            lambda: (now := status_if_any()) is not None and now.waiting_for is not None and now
        )
        assert waiting.waiting_since <= waiting.updated
        assert "127.0.0.1" in waiting.waiting_for or "node" in waiting.waiting_for
        server = NodeServer(node, port=port)
        server.start()
        try:
            follower.until(lambda: cursor() == node.chain.irreversible)
            follower.until(lambda: (now := status()) is not None and now.mode == "following")
            follower.stop(signal.SIGTERM)
        finally:
            server.stop()
    assert peakedex("journal", "--db", "dex.db").out == ""


def status_if_any() -> IndexerStatus | None:
    """None also while the tables are not made yet."""
    try:
        return status()
    except (StoreError, SQLAlchemyError):
        return None
