"""The API over a replica that started from a state text alone (protocol, section 11)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from api.app import create_app
from api.settings import ApiSettings
from settlement.core.events import BlockHeader
from settlement.core.journal.state_text import state_text
from settlement.store.database import open_writer
from settlement.store.write.initialise import initialise_from_state
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import Batch, make_read_indexes, totals_of
from tests.support.api_client import ApiClient
from tests.system.api.past_world import NAMES, QUOTES, PastWorld, everything
from tests.system.api.world import block_id


@pytest.fixture(scope="module")
def replica(past_world: PastWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """A database made of the newest state text of the past world, and one block more."""
    world = past_world.world
    text = state_text(world.rules.state)
    url = f"sqlite:///{tmp_path_factory.mktemp('replica') / 'replica.db'}"
    database = open_writer(url)
    venue = world.rules.state.venue
    initialise_from_state(database, venue, text, sha256(text.encode()).hexdigest())
    make_read_indexes(database)
    machine, projector = load_or_initialise(database, venue)
    number = machine.next_block()
    entry = machine.apply(BlockHeader(number, block_id(number), world.time + 3), _later(past_world))
    projector.project(Batch([entry], [], entry.header, totals_of(machine.state)))
    yield ApiClient(create_app(ApiSettings(database_url=url)))
    database.dispose()


def _later(past_world: PastWorld) -> list[Any]:
    """Something that changes every list: all orders and stops are cancelled, and money moves."""
    world = past_world.world
    return [
        *(world.action(name, "cancelAll") for name in NAMES),
        *(world.deposit(name, "PEK", "1") for name in NAMES),
    ]


@pytest.mark.parametrize(
    "path",
    [
        *(f"/api/balances?user={name}" for name in NAMES),
        *(f"/api/orderbook?base=PEK&quote={quote}&depth=500" for quote in QUOTES),
    ],
)
def test_answers_at_its_first_block_are_those_of_the_whole_history(
    past_world: PastWorld, reader: ApiClient, replica: ApiClient, path: str
) -> None:
    at_origin = f"{path}&block={past_world.world.block}"
    assert replica.get(at_origin).json == reader.get(at_origin).json


@pytest.mark.parametrize("status", ["open", "waiting"])
def test_orders_and_stops_at_its_first_block(
    past_world: PastWorld, reader: ApiClient, replica: ApiClient, status: str
) -> None:
    """All but what only the history says: when and by whom they were placed, and their trades."""
    unknown = {"by", "action", "ref", "ts", "block", "average_price", "fees", "stop_of"}
    path = f"/api/orders?status={status}&block={past_world.world.block}"
    lists = [
        [{name: row[name] for name in row.keys() - unknown} for row in everything(client, path, "orders")]
        for client in (reader, replica)
    ]
    assert lists[0] == lists[1]
    assert lists[0]
    assert everything(replica, f"/api/orders?status={status}", "orders") == []


def test_its_first_state_is_the_text_and_nothing_is_before(past_world: PastWorld, replica: ApiClient) -> None:
    origin = past_world.world.block
    assert replica.get(f"/api/state?block={origin}").text == state_text(past_world.world.rules.state)
    answer = replica.get(f"/api/state?block={origin - 1}")
    assert (answer.status_code, answer.json["code"]) == (404, "E_BLOCK")
    assert answer.json["error"] == (
        f"Block {origin - 1} is before the recorded history: {origin} is the first available."
    )


def test_every_list_answers(replica: ApiClient) -> None:
    for path in (
        *("/api/health", "/api/venue", "/api/pairs", "/api/marks", "/api/orders", "/api/withdrawals"),
        *("/api/solvency", "/api/checkpoints", "/api/liabilities", "/api/journal"),
        *(f"/api/{name}?user=alice" for name in ("grants", "timers", "deposits", "transfers", "history")),
    ):
        assert replica.get(path).status_code == 200, path
