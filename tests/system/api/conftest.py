"""Fixtures: one small exchange for all tests that only read it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_client import ApiClient
from tests.support.databases import on_both
from tests.system.api.past_world import Journal, PastWorld
from tests.system.api.world import World, small_world

# Past blocks, candles and lists: tests/system/differential/test_same_database.py holds the answers against each other.
ON_BOTH = ("test_checkpoints", "test_money", "test_resources", "test_stream", "test_values")
SQLITE_ALONE = (
    "test_a_database_that_goes_away_and_comes_back",  # files are moved, replaced, missing
    "test_a_database_that_is_not_there",
    "test_a_restored_copy_goes_on_where_the_old_database_was",
    "test_another_journal_in_the_same_place",
    "test_one_order_with_its_trades_and_journal",  # takes long
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests with many queries run on both kinds of database; limits and servers only on SQLite."""
    on_both(metafunc, ON_BOTH, SQLITE_ALONE)


@pytest.fixture(scope="session")
def world(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = small_world(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


@pytest.fixture(scope="session")
def client(world: World) -> ApiClient:
    return world.client()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A new world without blocks."""
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="session")
def past_world(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PastWorld]:
    past_world = PastWorld(tmp_path_factory.mktemp("past_world"))
    yield past_world
    past_world.world.close()


@pytest.fixture(scope="session")
def reader(past_world: PastWorld) -> ApiClient:
    """A client of the world with past blocks."""
    return past_world.world.client()


@pytest.fixture(scope="session")
def journal(reader: ApiClient) -> Journal:
    return Journal(reader.get("/api/journal").text)


@pytest.fixture(scope="session")
def moments(past_world: PastWorld) -> list[int | None]:
    """The newest block, the first ones, and 50 random blocks."""
    numbers = sorted(past_world.states)
    return [None, numbers[0], numbers[1], numbers[-1], *random.Random(3).sample(numbers, 50)]
