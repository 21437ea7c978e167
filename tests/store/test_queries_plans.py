"""No query of the API looks through a table of history: SQLite is asked how it would find the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, Index, event

from settlement.store import schema
from tests.api.world import World, small_world, transaction

HISTORY = ("orders", "trades", "intents", "transfers", "journal", "blocks", "deposits", "withdrawals")
PAIR = "base=PEK&quote=SWAP.HIVE"
PATHS = [
    "/api/health",
    "/api/venue",
    "/api/pairs",
    f"/api/orderbook?{PAIR}",
    f"/api/history?{PAIR}",
    f"/api/price?{PAIR}",
    "/api/balances?user=bob",
    "/api/orders?user=bob",
    "/api/orders?user=bob&status=open",
    "/api/orders?user=bob&status=filled",
    f"/api/orders?{PAIR}&status=open",
    "/api/orders?status=open",
    "/api/orders?user=carol&status=rejected",
    f"/api/orders/{transaction(5)}",
    f"/api/intents/{transaction(5)}",
]
# These read the newest rows in the order of their key, and stop at a limit.
NEWEST_FIRST = ["/api/orders", f"/api/orders?{PAIR}", "/api/orders?status=filled"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = small_world(tmp_path_factory.mktemp("plans"))
    yield world
    world.close()


def plan(world: World, path: str) -> list[str]:
    """How SQLite would run each query of a request."""
    seen = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    client = world.client()
    assert client.get("/api/venue").status_code == 200  # the connection is open and checked
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert client.get(path).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    with world.engine.connect() as connection:
        return [
            row[3]
            for statement, parameters in seen
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


@pytest.mark.parametrize("path", PATHS)
def test_rows_of_history_are_found_by_an_index(world: World, path: str) -> None:
    steps = plan(world, path)
    assert steps
    assert not [step for step in steps if step.startswith(tuple(f"SCAN {table}" for table in HISTORY))]


@pytest.mark.parametrize("path", NEWEST_FIRST)
def test_newest_orders_are_read_by_key_and_not_sorted(world: World, path: str) -> None:
    scans = [step for step in plan(world, path) if step.startswith("SCAN orders")]
    assert scans
    assert set(scans) == {"SCAN orders"}


@pytest.mark.parametrize(
    ("path", "index"),
    [
        (f"/api/orderbook?{PAIR}", "orders_open (pair_id=? AND is_buy=?)"),
        (f"/api/history?{PAIR}", "trades_by_pair (pair_id=? AND n<?)"),
        ("/api/orders?status=open", "orders_open (pair_id=?)"),
        (f"/api/orders/{transaction(5)}", "trades_by_taker (taker=? AND rowid<?)"),
        (f"/api/orders/{transaction(5)}", "trades_by_maker (maker=? AND rowid<?)"),
        (f"/api/intents/{transaction(5)}", "intents_by_transaction (tx_key=? AND rowid>?)"),
    ],
)
def test_the_index_that_was_made_for_it(world: World, path: str, index: str) -> None:
    assert any(index in step for step in plan(world, path))


def test_number_of_queries_does_not_grow_with_rows(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    try:
        few = [_fewest(world, path) for path in PATHS]
        world.apply(*(world.order("alice", "sell", f"{n}", "0.02") for n in range(1, 61)))
        assert [_fewest(world, path) for path in PATHS] == few
    finally:
        world.close()


def _fewest(world: World, path: str) -> int:
    """How many queries an answer takes. A snapshot may have to be taken again on a busy machine: not growth."""
    return min(len(_queries(world, path)) for _ in range(3))


def _queries(world: World, path: str) -> list[str]:
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    client = world.client()
    client.get("/api/venue")
    event.listen(Engine, "before_cursor_execute", note)
    try:
        client.get(path)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return seen


def test_read_indexes_are_those_of_the_schema() -> None:
    assert all(isinstance(index, Index) for index in schema.READ_INDEXES)
