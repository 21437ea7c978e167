"""The stop event ends the indexer at once, also while it waits for a silent node."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from indexer.follow.loop import Follower
from indexer.sources.hive import HiveSource
from indexer.sources.sidechain import Sidechain
from settlement.net.backoff import Waiter
from settlement.net.http_client import Limits
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from tests.support.waiting import TIMEOUT_SECONDS, wait_until
from tests.system.follow.world import World
from tests.system.store.chains import demo

LONG = Limits(connect_seconds=60, read_seconds=600)
"""Longer than a stop may take on any machine."""


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"silent": True},
        {"engine_silent": True},
        {"refuses": True},
        {"engine_refuses": True},
        {"delay_ms": 600_000},
    ],
)
def test_at_once(faults: dict[str, Any]) -> None:
    with World(servers=2) as world:
        for server in world.servers:
            server.faults.set(faults)
        stop = threading.Event()
        waiter = Waiter(stop)
        rules, projector = load_or_initialise(open_writer("sqlite://"), demo())
        urls, engine_urls = zip(*((server.url, server.engine_url) for server in world.servers), strict=True)
        sidechain = Sidechain(engine_urls, waiter, limits=LONG)
        source = HiveSource(
            urls, sidechain, rules.venue_filter, waiter, limits=LONG, range_limits=LONG, slow_seconds=600
        )
        stopped: list[float] = []

        def set_stop() -> None:
            try:
                wait_until(lambda: faults or rules.next_block() > world.node.chain.irreversible)
            finally:
                stopped.append(time.monotonic())
                stop.set()

        threading.Timer(0.5, set_stop).start()
        Follower(rules, projector, source).run()
        assert stopped, "it ended by itself"
        assert time.monotonic() - stopped[0] < TIMEOUT_SECONDS
        if not faults:
            assert rules.next_block() == world.node.chain.irreversible + 1
        source.close()
