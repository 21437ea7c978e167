"""One exchange for the tests of a module: each takes accounts of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest

from indexer.devnet.faults import Faults
from tests.system.client.exchange import Exchange


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.close()


@pytest.fixture(autouse=True)
def _calm(exchange: Exchange) -> Iterator[None]:
    """No fault outlives a test."""
    yield
    for server in exchange.nodes:
        server.faults.set(asdict(Faults()))
    exchange.node.chain.lag = 1
    exchange.steps(2)
