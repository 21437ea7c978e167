"""`peakedex mirror` against a whole exchange: its quotes, its end, and its simulation."""

from __future__ import annotations

import re
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from peakedex.client import ConnectionFailed, State
from peakedex.mirror.maker import Maker
from peakedex.mirror.strategy import Reference, Settings
from tests.system.cli.command import peakedex
from tests.system.cli.world import running
from tests.system.client.exchange import PAIR, Exchange, signer_of

SETTINGS = Settings(size=Decimal(100), target=Decimal(1_000_000), limit=Decimal(5000))


def test_it_replaces_its_quotes_and_keeps_none_without_a_reference(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = exchange.account()
    trader = exchange.trader(signer_of(exchange, account, monkeypatch), "maker")
    references: list[Reference | Exception | None] = [
        Reference(Decimal("0.5"), Decimal("0.51")),
        Reference(Decimal("0.51"), Decimal("0.52")),
        Reference(Decimal("0.6"), Decimal("0.61")),  # leaps
        Reference(Decimal("0.6"), Decimal("0.61")),
        None,
        ConnectionFailed("the reference is away"),
    ]

    def read() -> Reference | None:
        found = references.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    maker = Maker(trader, PAIR, read, SETTINGS, every=15)

    def open_now() -> list[tuple[str, str]]:
        rows = exchange.api().orders(user=account, status="open")
        return [(row.side, f"{row.price:f}") for row in reversed(rows)]

    first = maker.round()
    assert [state for _, state in first.quotes] == [State.OPEN] * 2
    assert open_now() == [("buy", "0.499950"), ("sell", "0.510050")]
    maker.round()
    assert open_now() == [("buy", "0.509850"), ("sell", "0.520150")]
    [timer] = exchange.api().timers(account)
    assert timer.by == "active"
    assert "leapt" in maker.round().problem
    assert open_now() == []
    maker.round()
    assert len(open_now()) == 2
    assert maker.round().problem == "the reference has no bid or no ask"
    assert open_now() == []
    assert "the reference is away" in maker.round().problem
    # Somebody trades, and the inventory shows in the next quotes: dead, it leaves none behind.
    references.append(Reference(Decimal("0.6"), Decimal("0.61")))
    maker.round()
    exchange.act(exchange.account(), "sell", symbol="PEK", quote="SWAP.HIVE", quantity="60", price="0.4")
    exchange.steps(30)
    assert open_now() == []
    assert exchange.api().balances(account)["PEK"].total > 1_000_000
    trader.close()


def test_the_command_quotes_until_it_is_stopped(exchange: Exchange, tmp_path: Path) -> None:
    other, account = exchange.account(), exchange.account()
    exchange.act(other, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="10", price="0.36")
    exchange.act(other, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="10", price="0.34")
    exchange.steps(2)
    stop = threading.Event()
    # Deadlines pass by the chain's time, which runs ten times as fast as the bot's.
    exchange.block_seconds = 1

    def clock() -> None:
        while not stop.wait(0.1):
            exchange.step()

    blocks = threading.Thread(target=clock)
    blocks.start()
    options = ("--size", "10", "--target", "1000000", "--limit", "500", "--every", "1")
    where = ("--api", exchange.address, "--reference-api", exchange.address, "--node", exchange.urls[0])
    signs = ("--chain-id", "devnet", "--account", account)
    key = {"PEAKEDEX_ACTIVE_KEY": exchange.key(account)}
    try:
        with running(tmp_path, "mirror", *options, *where, *signs, **key) as process:
            process.wait_until(lambda: len(re.findall("buy .* open, sell .* open", process.said)) >= 2)
            process.end()
            assert process.run.returncode == 0
            assert process.said.endswith("stopped: its quotes are cancelled\n")
            assert exchange.key(account) not in process.said
    finally:
        stop.set()
        blocks.join(30)
        exchange.block_seconds = 3
    assert exchange.api().orders(user=account, status="open") == []


def test_the_command_simulates_what_was_recorded(exchange: Exchange) -> None:
    maker, taker = exchange.account(), exchange.account()
    for number in range(12):
        side, other = ("buy", "sell") if number % 2 else ("sell", "buy")
        price = {"buy": "0.33", "sell": "0.3"}[side]
        exchange.act(maker, other, symbol="PEK", quote="SWAP.HIVE", quantity="20", price=price)
        exchange.steps(1)
        exchange.act(taker, side, symbol="PEK", quote="SWAP.HIVE", quantity="20", price=price)
        exchange.steps(6)
    options = ("--api", exchange.address, "--size", "10", "--target", "100", "--limit", "50")
    done = peakedex("mirror", *options, "--simulate", "1", "--json")
    assert done.code == 0, done.err
    result = done.json
    assert result["fills"] > 5
    assert Decimal(result["worst_profit"]) <= Decimal(result["profit"]) < Decimal(result["value"])
    assert 50 <= Decimal(result["least_base"]) <= Decimal(result["most_base"]) <= 150
    wrong = peakedex("mirror", *options, "--pair", "PEK/DOGE", "--simulate", "1")
    assert (wrong.code, "PEK/DOGE is not listed" in wrong.complaint) == (2, True)
    nobody = peakedex("mirror", *options)
    assert (nobody.code, "--account" in nobody.error) == (2, True)
