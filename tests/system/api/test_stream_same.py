"""A client that follows the stream has the same state as a new snapshot, and as the other endpoints."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from api.app import DATABASE, PUBLISHER, create_app
from api.database import Database
from api.settings import ApiSettings
from api.stream.publisher import Publisher
from api.stream.topics import read_topics
from settlement.core.journal.state_text import state_hash
from settlement.store.database import open_writer
from settlement.store.schema import ORDER_STATUSES
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import Batch, make_read_indexes, totals_of
from tests.property.model.random_venues import TRADERS
from tests.support import databases
from tests.support.api_client import ApiClient
from tests.system.api.mirror import Mirror, Reading, events, listen, snapshot
from tests.system.store.random_chains import RandomBlock, random_chain

INTERVALS = ("1m", "15m", "1h", "1d", "1w")
KINDS = ("deposits", "withdrawals")


class Exchange:
    """A chain that is recorded block by block, and servers that read it."""

    def __init__(self, folder: Path, seed: int, blocks: int) -> None:
        self.url = databases.url(folder / "live.db")
        self.venue, self.blocks = random_chain(seed, blocks)
        self.users = [*TRADERS, "erin"]
        self._servers: list[ApiClient] = []
        self._next = 0
        self._start()
        make_read_indexes(self.engine)

    def _start(self) -> None:
        self.engine = open_writer(self.url)
        self.rules, self.projector = load_or_initialise(self.engine, self.venue)

    def restart_indexer(self) -> None:
        self.engine.dispose()
        self._start()

    def take(self, count: int, *, live: bool) -> int:
        """Record the next blocks: each in its own transaction, or all in one. Returns how many have lines."""
        blocks = self.blocks[self._next : self._next + count]
        self._next += len(blocks)
        if live:
            return sum(self._project([block], live=True) for block in blocks)
        return self._project(blocks, live=False)

    def _project(self, blocks: Sequence[RandomBlock], *, live: bool) -> int:
        entries = [self.rules.apply(block.header, block.events) for block in blocks]
        state = self.rules.state
        with_lines = [entry for entry in entries if entry.text]
        batch = Batch(with_lines, [], entries[-1].header, totals_of(state), state_hash(state), live)
        self.projector.project(batch)
        return len(with_lines)

    @property
    def has_more(self) -> bool:
        return self._next < len(self.blocks)

    def server(self) -> ApiClient:
        settings = ApiSettings(database_url=self.url, network="devnet", clock=self._clock)
        client = ApiClient(create_app(settings))
        self._servers.append(client)
        return client

    def _clock(self) -> float:
        header = self.rules.state.header
        return 0.0 if header is None else float(header.timestamp)

    def fresh(self, topics: str) -> Mirror:
        """The snapshot of a new server."""
        mirror = Mirror()
        database = Database(self.url)
        publisher = Publisher(database, self.url, 1)
        subscriber = publisher.subscribe(read_topics(topics), None)
        for event in events([next(subscriber)]):
            mirror.take(event)
        publisher.close()
        database.close()
        return mirror

    def topics(self) -> str:
        pairs = [f"{pair.base}/{pair.quote}" for pair in self.venue.pairs]
        candles = [f"candles:{pair}:{interval}" for pair, interval in product(pairs[:2], INTERVALS)]
        return ",".join(["book", "trades", *candles, *(f"account:{user}" for user in self.users)])

    def close(self) -> None:
        for client in self._servers:
            client.application.extensions[PUBLISHER].close()
            client.application.extensions[DATABASE].close()
        self.engine.dispose()


class Wanderer:
    """A client that loses its connection again and again, and comes back to one server or another."""

    def __init__(self, topics: str) -> None:
        self.mirror = Mirror()
        self._topics = topics
        self._reading: Reading | None = None

    def go_to(self, server: ApiClient) -> None:
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
        assert self._reading is not None
        self.mirror.follow(self._reading, seq)


class Listeners:
    """One client stays at a server, one wanders between two servers and ones that were just started."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.topics = exchange.topics()
        self.servers = [exchange.server(), exchange.server()]
        self.steady, self.wanderer = Mirror(), Wanderer(self.topics)
        self.reading = listen(self.servers[0], self.topics)
        self.wanderer.go_to(self.servers[1])
        self.seen: dict[str, set[str]] = {kind: set() for kind in KINDS}

    def check(self) -> None:
        """All clients, new and old ones, and the other endpoints agree."""
        fresh = self.exchange.fresh(self.topics)
        self.steady.follow(self.reading, fresh.seq)
        self.wanderer.catch_up(fresh.seq)
        assert self.steady.picture() == fresh.picture()
        assert self.wanderer.mirror.picture() == fresh.picture()
        assert snapshot(self.servers[0], self.topics).picture() == fresh.picture()
        assert_same_as_endpoints(self.servers[1], fresh)
        for kind in KINDS:
            told = getattr(self.steady, kind)
            assert_listed(self.servers[1], kind, told)
            self.seen[kind].update(row["status"] for row in told.values())


@pytest.fixture
def exchange(tmp_path: Path) -> Any:
    exchange = Exchange(tmp_path, seed=12, blocks=160)
    yield exchange
    exchange.close()


def test_clients_that_stay_and_that_wander_agree_with_new_ones(exchange: Exchange) -> None:
    """At every block; also while they lose their connection, and while servers and the indexer restart."""
    chance = random.Random(5)
    exchange.take(10, live=True)
    listeners = Listeners(exchange)
    while exchange.has_more:
        if chance.random() < 0.1:
            listeners.wanderer.leave()
        exchange.take(chance.choice((1, 1, 1, 5)), live=True)
        if chance.random() < 0.1:
            exchange.restart_indexer()
        if chance.random() < 0.2:
            listeners.wanderer.go_to(chance.choice([*listeners.servers, exchange.server()]))
        else:
            listeners.wanderer.go_to(listeners.servers[0])
        listeners.check()
    assert listeners.steady.resets == listeners.wanderer.mirror.resets == 0
    assert listeners.seen == {
        "deposits": {"credited", "refund_due", "refunded", "ignored"},
        "withdrawals": {"pending", "paid", "returned"},
    }
    assert listeners.steady.statuses == set(ORDER_STATUSES)


def test_clients_start_over_after_the_indexer_caught_up(exchange: Exchange) -> None:
    exchange.take(40, live=True)
    listeners = Listeners(exchange)
    exchange.take(20, live=True)
    listeners.check()
    listeners.wanderer.leave()
    exchange.restart_indexer()
    assert exchange.take(20, live=False) > 1
    listeners.wanderer.go_to(exchange.server())
    listeners.check()
    assert listeners.steady.resets == listeners.wanderer.mirror.resets == 1
    exchange.take(20, live=True)
    listeners.check()
    listeners.wanderer.leave()
    exchange.take(10, live=True)
    listeners.wanderer.go_to(exchange.server())  # back behind the gap: it resumes
    listeners.check()
    assert listeners.steady.resets == listeners.wanderer.mirror.resets == 1


def test_a_long_run_of_catching_up_is_not_told_commit_by_commit(exchange: Exchange) -> None:
    exchange.take(10, live=True)
    server, topics = exchange.server(), exchange.topics()
    mirror, reading = Mirror(), listen(server, topics)
    mirror.take(reading.expect("snapshot"))
    commits = 0
    while exchange.has_more:
        commits += bool(exchange.take(3, live=False))
    last = exchange.fresh(topics)
    mirror.follow(reading, last.seq)
    assert mirror.picture() == last.picture()
    assert commits > 20
    assert mirror.resets < 5


def assert_same_as_endpoints(server: ApiClient, mirror: Mirror) -> None:
    def ask(path: str, **parameters: str | int) -> dict[str, Any]:
        response = server.get(path, query_string=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json
        return answer

    picture = mirror.picture()
    for base, quote in mirror.books:
        book = ask("/api/orderbook", base=base, quote=quote, depth=500)
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
        orders = [
            order
            for status in ("open", "waiting")
            for order in ask("/api/orders", user=user, status=status, limit=1000)["orders"]
        ]
        assert {order["seq"]: order for order in orders} == picture["orders"][user]
        now = ask("/api/grants", user=user)
        mirror.at["ts"] = now["ts"]  # of a block without lines, perhaps: grants end in it as well
        assert now["given"] == mirror.grants_of(user)
        assert ask("/api/timers", user=user)["timers"] == mirror.timers_of(user)


def assert_listed(server: ApiClient, kind: str, told: dict[str, Any]) -> None:
    """What was sent of claims since a client came is what the lists say of them."""
    for user in {row["user"] for row in told.values()}:
        listed = server.get(f"/api/{kind}", query_string={"user": user, "limit": 1000}).json[kind]
        by_id = {row["id"]: without_payout(row) for row in listed}
        for row in told.values():
            if row["user"] == user:
                assert without_payout(row) == by_id[row["id"]]


def without_payout(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "payout"}
