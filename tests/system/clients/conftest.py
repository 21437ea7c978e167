"""One exchange per test worker, stopped after its last test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.clients.exchange import Exchange


@pytest.fixture(scope="package")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.close()
