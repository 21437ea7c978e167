"""One small world for all the tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

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
