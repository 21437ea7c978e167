"""A bot that is killed (`kill -9`) at random points, again and again, while the nodes lose, delay and repeat answers.

KILLS=1000 in the environment makes it a thousand kills, KILLS_SEED=n others.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from indexer.devnet.faults import Faults
from peakedex.client import State
from tests.system.client.bot import SWITCH_SECONDS, Life
from tests.system.client.exchange import Exchange, signer_of

KILLS = int(os.environ.get("KILLS", "30"))
SEED = int(os.environ.get("KILLS_SEED", "1"))
BLOCK_SECONDS = 0.04
CHAIN_SECONDS = 3
COUNTED = ("lost_replies", "duplicate_replies", "lock_errors", "html_errors", "too_many", "bad_json")
LATE_MS = 700  # longer than the bot waits for a node


@contextmanager
def blocks(exchange: Exchange, rng: Random) -> Iterator[None]:
    """Blocks in the background, with faults of the nodes and a fork now and then."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(BLOCK_SECONDS):
            server = rng.choice(exchange.nodes)
            if rng.random() < 0.6:
                server.faults.set({rng.choice(COUNTED): 1})
            server.faults.set({"delay_ms": LATE_MS if rng.random() < 0.03 else 0})
            if rng.random() < 0.02:
                exchange.fork()
            exchange.step()

    clock = threading.Thread(target=run)
    clock.start()
    try:
        yield
    finally:
        stop.set()
        clock.join(60)
        for server in exchange.nodes:
            server.faults.set(asdict(Faults()))


class Bots:
    """Starts bots one after the other."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self._life: Life = {
            "address": exchange.address,
            "nodes": exchange.urls,
            "account": account,
            "journal": str(exchange.folder / "killed.journal"),
            "lines": None,
            "signing": False,
            "seconds": None,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.client.bot"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BOT_KEY": exchange.key(account)},
            cwd=Path(__file__).parents[3],
        )

    def live(self, *, lines: int | None = None, signing: bool = False, seconds: float | None = None) -> int:
        """Run one bot; its exit code, negative for a signal."""
        life: Life = {**self._life, "lines": lines, "signing": signing, "seconds": seconds}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(life), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path, nodes=3, lag=2, seed=SEED)
    yield exchange
    exchange.close()


def test_a_thousand_kills(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(SEED)
    account = exchange.account()
    bots = Bots(exchange, account)
    try:
        for kill in range(KILLS):
            with blocks(exchange, Random(f"{SEED} {kill}")):
                if kill % 2:
                    code = bots.live(lines=rng.randint(1, 90), signing=True)
                elif kill % 4:
                    code = bots.live(lines=int(10 ** rng.uniform(1.5, 4.2)))
                else:
                    code = bots.live(seconds=rng.uniform(0.0, 1.0))
            assert code == -signal.SIGKILL
            if kill % 10 == 9:
                # The bot is dead: its switch fires, whatever was still on the way.
                exchange.steps(SWITCH_SECONDS // CHAIN_SECONDS + 8)
                assert exchange.api().orders(user=account, status="open") == []
        while len(exchange.api().orders(user=account, limit=None)) < 3 and kill < 2 * KILLS:
            kill += 1  # on a slow machine the first ones die too early
            with blocks(exchange, Random(f"{SEED} {kill}")):
                assert bots.live(lines=20_000) == -signal.SIGKILL
        with blocks(exchange, rng):
            assert bots.live() == 0
    finally:
        bots.close()
    exchange.steps(30)
    check(exchange, account, monkeypatch)


def check(exchange: Exchange, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal and the venue agree on every intent, and no order is there twice."""
    trader = exchange.trader(signer_of(exchange, account, monkeypatch), "killed")
    assert trader.open_tickets == []
    tickets = {ticket.id: ticket for ticket in trader.tickets}
    orders = trader.api.orders(user=account, limit=None)
    assert max(Counter(order.ref for order in orders).values()) == 1
    assert {order.id for order in orders} <= set(tickets)
    # No bot cancelled anything, and nobody bought: what closed them is the switch.
    assert Counter(order.status for order in orders) == {"cancelled": len(orders)}
    states: Counter[str] = Counter()
    known: dict[str, Any] = {}
    for ticket in tickets.values():
        if ticket.transaction_id not in known:
            known[ticket.transaction_id] = {one.id: one for one in trader.api.intents(ticket.transaction_id)}
        result = known[ticket.transaction_id].get(ticket.id)
        states[ticket.state] += 1
        if ticket.state == State.NOT_INCLUDED:
            assert result is None
            continue
        assert result is not None
        assert (result.status == "rejected") == (ticket.state == State.REJECTED)
        deadline = ticket.intent.payload["notAfter"]
        assert isinstance(deadline, int)
        assert result.status == "rejected" or result.ts.timestamp() <= deadline
    print(f"{KILLS} kills, seed {SEED}: {len(tickets)} intents, {dict(states)}, {len(orders)} orders")
    assert len(orders) >= 3, "the bots died too early to prove anything"
    trader.close()
