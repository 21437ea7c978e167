"""Lists of orders: every filter, page by page, compared with the same filter in Python."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, select

from settlement.core.events import Action
from settlement.store import schema
from settlement.store.database import open_reader
from settlement.store.read.accounts.orders import OrderFilter, OrderRow, list_orders
from tests.system.api.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("orders"))
    chance = random.Random(7)
    names = ("alice", "bob", "carol")
    world.apply(
        *(world.deposit(name, token, "100000") for name in names for token in ("PEK", "SWAP.HIVE", "HBD"))
    )
    for _ in range(60):
        world.apply(*(_random_order(world, chance, names) for _ in range(5)))
    yield world
    world.close()


def _random_order(world: World, chance: random.Random, names: tuple[str, ...]) -> Action:
    signer, quote = chance.choice(names), chance.choice(("SWAP.HIVE", "HBD"))
    if chance.random() < 0.2 and world.rules.state.orders:
        order = chance.choice(list(world.rules.state.orders.values()))
        return world.action(order.account.name, "cancel", id=order.id)
    trigger: dict[str, Any] = {}
    if chance.random() < 0.2:  # none fires: marks are far away
        trigger = {"triggerPrice": "9", "triggerWhen": "above"}
    price = f"0.01{chance.randrange(100):02}" if quote == "SWAP.HIVE" else f"0.1{chance.randrange(10)}"
    side, quantity = chance.choice(("buy", "sell")), str(chance.randrange(1, 50))
    return world.order(signer, side, quantity, price, quote, **trigger)


@pytest.fixture
def connection(world: World) -> Iterator[Connection]:
    reader = open_reader(world.url)
    with reader.connect() as connection:
        yield connection
    reader.dispose()


def pages(connection: Connection, wanted: OrderFilter, limit: int, scan_limit: int) -> list[OrderRow]:
    rows: list[OrderRow] = []
    before = None
    for _ in range(1000):
        page = list_orders(connection, wanted, before, limit, scan_limit=scan_limit)
        assert len(page.rows) <= limit
        rows += page.rows
        before = page.next_key
        if before is None:
            return rows
    raise AssertionError("the list does not end")


FILTERS = [
    OrderFilter(account, pair, status)
    for account in (None, 2)
    for pair in (None, 1, 3)
    for status in (None, schema.OPEN, schema.FILLED, schema.CANCELLED, schema.WAITING)
]


@pytest.mark.parametrize("scan_limit", [10_000, 20])
@pytest.mark.parametrize("wanted", FILTERS)
def test_the_pages_together_are_the_filtered_list(
    connection: Connection, wanted: OrderFilter, scan_limit: int
) -> None:
    """Also with short pages, where a page may scan only 20 orders."""
    everything = list_orders(connection, OrderFilter(), None, 1000).rows
    name = None if wanted.account_id is None else _account_name(connection, wanted.account_id)
    expected = [
        row
        for row in everything
        if name in (None, row.account)
        and wanted.pair_id in (None, row.pair_id)
        and wanted.status in (None, row.status)
    ]
    assert pages(connection, wanted, 7, scan_limit) == expected
    assert [row.seq for row in everything] == sorted((row.seq for row in everything), reverse=True)


def _account_name(connection: Connection, number: int) -> str:
    accounts = schema.accounts.c
    return str(connection.execute(select(accounts.name).where(accounts.id == number)).scalar_one())


def test_every_status_is_there(connection: Connection) -> None:
    """A precondition of the test above."""
    found = {row.status for row in list_orders(connection, OrderFilter(), None, 1000).rows}
    assert found >= {schema.OPEN, schema.FILLED, schema.CANCELLED, schema.WAITING}
