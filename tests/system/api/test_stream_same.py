"""A client that follows the stream has the same state as a new snapshot, and as the other endpoints."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.database import Database
from api.settings import ApiSettings
from api.stream.publisher import Publisher
from api.stream.topics import read_topics
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.system.api.mirror import Mirror, Reading, events, listen, snapshot
from tests.system.store.chains import demo, lively, read_on

BLOCKS = 1_200  # more than the stream keeps in memory
PHASES = ((250, 1), (500, 7), (800, 1), (1_000, 60), (BLOCKS, 2))
"""Until which block, and how many blocks the indexer commits at a time."""
CHECK_EVERY = 200
INTERVALS = ("1m", "15m", "1h", "1d", "1w")


class Exchange:
    """A recorded chain that grows, and servers that read it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'live.db'}"
        self.archive = lively(seed=4, blocks=BLOCKS, ops=5).write(folder / "archive")
        self.engine = open_writer(self.url)
        self.rules, self.projector = load_or_initialise(self.engine, demo())
        self.seq = 0

    def server(self) -> FlaskClient:
        return create_app(ApiSettings(database_url=self.url, network="devnet")).test_client()

    def fresh(self, topics: str) -> Mirror:
        """The snapshot of a new server."""
        mirror = Mirror()
        publisher = Publisher(Database(self.url), self.url, 1)
        subscriber = publisher.subscribe(read_topics(topics), None)
        for event in events([next(subscriber)]):
            mirror.take(event)
        publisher.close()
        return mirror

    def topics(self) -> str:
        pairs = [pair.name for pair in self.rules.state.pairs.values()]
        state = self.rules.state
        users = [*(name for name in state.accounts if name.startswith("trader")), state.fee_account.name]
        candles = [f"candles:{pair}:{interval}" for pair, interval in product(pairs[:2], INTERVALS)]
        return ",".join(["book", "trades", *candles, *(f"account:{user}" for user in users)])


class Wanderer:
    """A client that loses its connection again and again, and comes back to one server or another."""

    def __init__(self, topics: str) -> None:
        self.mirror = Mirror()
        self.missed = 0
        self._topics = topics
        self._reading: Reading | None = None

    def go_to(self, server: FlaskClient) -> None:
        self.leave()
        self._reading = listen(server, self._topics, self.mirror.last)
        if self.mirror.last is None:
            self.mirror.take(self._reading.expect("snapshot"))

    def leave(self) -> None:
        """With what has come by now, whatever that is."""
        if self._reading is not None:
            for event in self._reading.arrived():
                self.mirror.take(event)
            self._reading.close()
            self._reading = None

    def catch_up(self, seq: int) -> None:
        if self._reading is not None:
            self.mirror.follow(self._reading, seq)


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path)


def test_clients_that_stay_and_that_wander_know_what_a_new_one_is_told(exchange: Exchange) -> None:
    """One client stays, one wanders between two servers and ones that were just started."""
    chance = random.Random(5)
    read_on(exchange.rules, exchange.projector, exchange.archive, until=20, batch_blocks=1)
    servers = [exchange.server(), exchange.server()]
    topics = exchange.topics()
    steady, wanderer = Mirror(), Wanderer(topics)
    reading = listen(servers[0], topics)
    wanderer.go_to(servers[1])
    commits = 0

    def committed(progress: Any) -> None:
        nonlocal commits
        commits += 1
        if chance.random() < 0.03:
            wanderer.leave()
        elif chance.random() < 0.06:
            wanderer.go_to(chance.choice([*servers, exchange.server()]))
        if commits % CHECK_EVERY == 0:
            wanderer.go_to(chance.choice(servers))
            check(exchange, servers, topics, (steady, reading), wanderer)

    for until, batch in PHASES:
        read_on(
            exchange.rules,
            exchange.projector,
            exchange.archive,
            until=until,
            batch_blocks=batch,
            on_batch=committed,
        )
        make_read_indexes(exchange.engine)
        wanderer.go_to(servers[0])
        check(exchange, servers, topics, (steady, reading), wanderer)
    assert steady.resets == wanderer.mirror.resets == 0
    assert {row["status"] for row in steady.withdrawals.values()} == {"pending", "paid", "returned"}
    assert {row["status"] for row in steady.deposits.values()} == {"credited", "refund_due", "refunded"}


def check(
    exchange: Exchange,
    servers: list[FlaskClient],
    topics: str,
    steady: tuple[Mirror, Reading],
    wanderer: Wanderer,
) -> None:
    fresh = exchange.fresh(topics)
    seq = fresh.seq
    steady[0].follow(steady[1], seq)
    wanderer.catch_up(seq)
    assert steady[0].picture() == fresh.picture()
    assert wanderer.mirror.picture() == fresh.picture()
    assert snapshot(servers[0], topics).picture() == fresh.picture()
    assert_as_asked(servers[1], fresh)
    for kind in ("deposits", "withdrawals"):
        told, again = getattr(steady[0], kind), getattr(wanderer.mirror, kind)
        assert told == again
        assert_listed(servers[1], kind, told)


def assert_as_asked(server: FlaskClient, mirror: Mirror) -> None:
    """The same in the answers of the paths that are asked once."""

    def ask(path: str, **parameters: str | int) -> dict[str, Any]:
        response = server.get(path, query_string=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json
        return answer

    picture = mirror.picture()
    for base, quote in mirror.books:
        book = ask("/api/orderbook", base=base, quote=quote, depth=500)
        assert book["block"] == mirror.at["block"]
        held = picture["books"].get((base, quote), {"bids": {}, "asks": {}})
        for side in ("bids", "asks"):
            assert {level["price"]: level for level in book[side]} == held[side]
        history = ask("/api/history", base=base, quote=quote, limit=100)
        assert history["trades"] == mirror.trades[base, quote]
    for (base, quote, interval), candle in mirror.candles.items():
        answer = ask("/api/candles", base=base, quote=quote, interval=interval, limit=1)
        assert answer["candles"] == ([candle] if candle else [])
    for user, balances in picture["balances"].items():
        assert ask("/api/balances", user=user)["balances"] == list(balances.values())
        orders = ask("/api/orders", user=user, status="open", limit=1000)["orders"]
        assert {order["id"]: order for order in orders} == picture["orders"][user]


def assert_listed(server: FlaskClient, kind: str, told: dict[str, Any]) -> None:
    """What was told of claims since a client came is what the lists say of them."""
    for user in {row["user"] for row in told.values()}:
        listed = server.get(f"/api/{kind}?user={user}&limit=1000").json[kind]
        for row in listed:
            if row["id"] in told:
                assert without_payout(told[row["id"]]) == without_payout(row)


def without_payout(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "payout"}
