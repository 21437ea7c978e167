"""No query of the API scans a table of the history, by SQLite's query plans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Index, event

from settlement.store.indexes import READ_INDEXES
from tests.system.api.world import World, small_world, transaction

HISTORY = (
    *("orders", "trades", "intents", "transfers", "journal", "blocks", "deposits", "withdrawals", "refunds"),
    *("balance_changes", "order_changes", "holding_changes", "candles"),
    *("grants", "grant_usage", "timers", "marks", "left_over", "ignored"),
)
PAST = 1007  # a block in the middle of the small world
PAIR = "base=PEK&quote=SWAP.HIVE"
PATHS = [
    "/api/health",
    "/api/venue",
    "/api/pairs",
    f"/api/orderbook?{PAIR}",
    f"/api/history?{PAIR}",
    "/api/history?user=bob",
    f"/api/history?user=bob&{PAIR}",
    f"/api/price?{PAIR}",
    "/api/balances?user=bob",
    "/api/orders?user=bob",
    "/api/orders?user=bob&status=open",
    "/api/orders?user=bob&status=filled",
    f"/api/orders?{PAIR}&status=open",
    "/api/orders?status=open",
    "/api/orders?user=dave&status=waiting",
    f"/api/orders?{PAIR}&status=waiting",
    "/api/orders?status=waiting",
    f"/api/orders?user=dave&status=waiting&block={PAST}",
    f"/api/orders?status=waiting&block={PAST}",
    "/api/grants?user=dave",
    "/api/grants?user=erin",
    "/api/timers?user=dave",
    "/api/marks",
    "/api/orders?user=carol&status=rejected",
    f"/api/orders/{transaction(5)}",
    f"/api/intents/{transaction(5)}",
    f"/api/orderbook?{PAIR}&block={PAST}",
    f"/api/balances?user=bob&block={PAST}",
    f"/api/orders?user=bob&block={PAST}",
    f"/api/orders?user=bob&status=open&block={PAST}",
    f"/api/orders?{PAIR}&status=open&block={PAST}",
    f"/api/orders?status=open&block={PAST}",
    f"/api/orders/{transaction(5)}?block={PAST}",
    f"/api/state?block={PAST}",
    "/api/state",
    f"/api/candles?{PAIR}&interval=1m",
    f"/api/candles?{PAIR}&interval=1w",
    "/api/deposits?user=bob",
    "/api/transfers?user=bob",
    "/api/withdrawals?user=bob",
    "/api/withdrawals?user=bob&status=paid",
    "/api/statement?user=bob",
    "/api/statement?user=dave&from=2026-09-21T14:13:30Z",
    "/api/statement/profit?user=bob",
    f"/api/blocks/{PAST}",
    f"/api/journal?from={PAST}&to={PAST + 2}",
    "/api/checkpoints",
    "/api/peers",
]
# These read the newest rows in the order of their key, and stop at a limit.
NEWEST_FIRST = [
    ("/api/orders", "orders"),
    (f"/api/orders?{PAIR}", "orders"),
    ("/api/orders?status=filled", "orders"),
    (f"/api/orders?{PAIR}&block={PAST}", "orders"),
    ("/api/withdrawals", "withdrawals"),
    ("/api/withdrawals?status=paid", "withdrawals"),
    ("/api/solvency", "outflows"),
    ("/api/checkpoints", "checkpoints"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = small_world(tmp_path_factory.mktemp("plans"))
    yield world
    world.close()


def plan(world: World, path: str) -> list[str]:
    """How SQLite would run each query of a request."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    client = world.client()
    assert client.get("/api/health").status_code == 200  # the connection is open and checked
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


@pytest.mark.parametrize(("path", "table"), NEWEST_FIRST)
def test_the_newest_are_read_by_key_and_not_sorted(world: World, path: str, table: str) -> None:
    steps = [step for step in plan(world, path) if step.startswith((f"SCAN {table}", f"SEARCH {table} "))]
    assert steps
    by_key = {f"SCAN {table}", f"SEARCH {table} USING INTEGER PRIMARY KEY (rowid<?)"}
    assert by_key & set(steps)
    assert not [step for step in steps if step.startswith("SCAN") and step not in by_key]


@pytest.mark.parametrize(
    ("path", "index"),
    [
        (f"/api/orderbook?{PAIR}", "orders_open (pair_id=? AND is_buy=?)"),
        (f"/api/history?{PAIR}", "trades_by_pair (pair_id=? AND n<?)"),
        ("/api/history?user=bob", "trades_by_taker_account (taker_account_id=? AND n<?)"),
        ("/api/history?user=bob", "trades_by_maker_account (maker_account_id=? AND n<?)"),
        (f"/api/history?user=bob&{PAIR}", "trades_by_maker_account (maker_account_id=? AND n<?)"),
        ("/api/orders?status=open", "orders_open_by_pair (pair_id=?)"),
        (f"/api/orders/{transaction(5)}", "trades_by_taker (taker=? AND rowid<?)"),
        (f"/api/orders/{transaction(5)}", "trades_by_maker (maker=? AND rowid<?)"),
        (f"/api/intents/{transaction(5)}", "intents_by_transaction (tx_key=? AND rowid>?)"),
        (
            f"/api/orderbook?{PAIR}&block={PAST}",
            "orders_past_until (pair_id=? AND fork=? AND closed_block>?)",
        ),
        (f"/api/orderbook?{PAIR}&block={PAST}", "orders_past_from (pair_id=? AND fork=? AND block<?)"),
        (f"/api/orderbook?{PAIR}&block={PAST}", "orders_open_by_pair (pair_id=? AND seq<?)"),
        (f"/api/orderbook?{PAIR}&block={PAST}", "newest USING PRIMARY KEY (seq=? AND block<?)"),
        (
            f"/api/orders?user=bob&status=open&block={PAST}",
            "orders_past_by_account (account_id=? AND fork=?)",
        ),
        (
            f"/api/balances?user=bob&block={PAST}",
            "balance_changes_by_wallet (account_id=? AND token_id=? AND block<?)",
        ),
        (f"/api/state?block={PAST}", "withdrawals_past_until (fork=? AND closed_block>?)"),
        (f"/api/state?block={PAST}", "withdrawals_past_from (fork=? AND block<?)"),
        (f"/api/state?block={PAST}", "refunds_past_until (fork=? AND closed_block>?)"),
        (f"/api/state?block={PAST}", "refunds_past_from (fork=? AND block<?)"),
        (f"/api/state?block={PAST}", "refunds_open (n<?)"),
        ("/api/deposits?user=bob", "deposits_by_account (account_id=? AND n<?)"),
        ("/api/deposits?user=bob", "refunds_by_account (account=? AND arrival<?)"),
        ("/api/deposits?user=bob", "ignored_by_account (account=? AND n<?)"),
        ("/api/orders?user=dave&status=waiting", "orders_waiting_by_account (account_id=?)"),
        (f"/api/orders?{PAIR}&status=waiting", "orders_waiting_by_pair (pair_id=?)"),
        ("/api/grants?user=dave", "grants_by_account (account_id=?)"),
        ("/api/grants?user=dave", "grants_by_grantee (to=? AND n<?)"),
        ("/api/timers?user=dave", "timers_by_account (account_id=?)"),
        ("/api/marks", "marks USING PRIMARY KEY (pair_id=? AND block<?)"),
        (f"/api/state?block={PAST}", "grants_past_until (fork=? AND closed_block>?)"),
        (f"/api/state?block={PAST}", "grants_past_from (fork=? AND block<?)"),
        (f"/api/state?block={PAST}", "grants_open (n<?)"),
        (f"/api/state?block={PAST}", "timers_past_until (fork=? AND closed_block>?)"),
        (f"/api/state?block={PAST}", "timers_open (n<?)"),
        (f"/api/state?block={PAST}", "orders_waiting_by_pair (pair_id=? AND seq<?)"),
        (f"/api/state?block={PAST}", "left_over USING PRIMARY KEY (block=?)"),
        ("/api/transfers?user=bob", "transfers_by_debit (debit_id=? AND n<?)"),
        ("/api/transfers?user=bob", "transfers_by_credit (credit_id=? AND n<?)"),
        ("/api/withdrawals?user=bob", "withdrawals_by_account (account_id=?)"),
        ("/api/statement?user=bob", "trades_by_taker_account (taker_account_id=? AND n>? AND n<?)"),
        ("/api/statement?user=bob", "trades_by_maker_account (maker_account_id=? AND n>? AND n<?)"),
        ("/api/statement?user=bob", "deposits_by_account (account_id=? AND n>? AND n<?)"),
        ("/api/statement?user=bob", "withdrawals_by_account (account_id=?)"),
        ("/api/statement?user=bob", "refunds_by_account (account=?)"),
        ("/api/withdrawals?status=pending", "withdrawals_open"),
        (
            "/api/pairs",
            "candles USING PRIMARY KEY (pair_id=? AND interval=? AND start>? AND start<?)",
        ),
        (
            f"/api/candles?{PAIR}&interval=1m",
            "candles USING PRIMARY KEY (pair_id=? AND interval=? AND start>? AND start<?)",
        ),
    ],
)
def test_a_query_uses_its_index(world: World, path: str, index: str) -> None:
    assert any(index in step for step in plan(world, path))


def test_number_of_queries_does_not_grow_with_rows(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    try:
        few = {path: len(_queries(world, path)) for path in PATHS}
        world.apply(*(world.order("alice", "sell", f"{n}", "0.02") for n in range(1, 61)))
        for path in PATHS:
            # A snapshot may have to be taken again on a busy machine: that is not growth.
            assert any(len(_queries(world, path)) <= few[path] for _ in range(3)), path
    finally:
        world.close()


def _queries(world: World, path: str) -> list[str]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    client = world.client()
    client.get("/api/health")
    event.listen(Engine, "before_cursor_execute", note)
    try:
        client.get(path)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return seen


def test_read_indexes_are_those_of_the_schema() -> None:
    assert all(isinstance(index, Index) for index in READ_INDEXES)
