"""One small world for all the tests that only read it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.api.told import Journal, Told
from tests.api.world import World, small_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = small_world(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


@pytest.fixture(scope="session")
def client(world: World) -> FlaskClient:
    return world.client()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A world of one's own, without any block."""
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    told = Told(tmp_path_factory.mktemp("told"))
    yield told
    told.world.close()


@pytest.fixture(scope="session")
def reader(told: Told) -> FlaskClient:
    """Asks the world that has a past."""
    return told.world.client()


@pytest.fixture(scope="session")
def journal(reader: FlaskClient) -> Journal:
    return Journal(reader.get("/api/journal").text)


@pytest.fixture(scope="session")
def moments(told: Told) -> list[int | None]:
    """The tip, the ends, and 50 blocks at random."""
    numbers = sorted(told.states)
    return [None, numbers[0], numbers[1], numbers[-1], *random.Random(3).sample(numbers, 50)]
