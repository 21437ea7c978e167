"""The bot of docs/examples against a real server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.serving import make_server

from api.app import create_app
from tests.system.api.past_world import PastWorld
from tests.system.api.world import World

BOT = Path(__file__).parents[3] / "docs" / "examples" / "market_bot.py"


def serve(world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(world.settings()), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture(scope="module")
def address(past_world: PastWorld) -> Iterator[str]:
    yield from serve(past_world.world)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BOT), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_it_reports_every_pair(past_world: PastWorld, address: str) -> None:
    done = run(address)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    client = past_world.world.client()
    for line, pair in zip(lines, client.get("/api/pairs").json["pairs"], strict=True):
        name, _, last, _, spread, _, bought, _, word, distance, *_ = line.split()
        assert (name, last) == (f"PEK_{pair['quote']}", pair["last_price"])
        if pair["best_bid"] and pair["best_ask"]:
            bid, ask = Decimal(pair["best_bid"]), Decimal(pair["best_ask"])
            assert spread == f"{(ask - bid) / bid:.2%}"
        else:
            assert spread == "-"
        trades = client.get(f"/api/history?base=PEK&quote={pair['quote']}&limit=100").json["trades"]
        sums = {"buy": Decimal(0), "sell": Decimal(0)}
        for trade in trades:
            sums[trade["taker_side"]] += Decimal(trade["amount"])
        assert bought == f"{sums['buy'] / sum(sums.values()):.0%}"
        hours = client.get(f"/api/candles?base=PEK&quote={pair['quote']}&interval=1h&limit=24").json[
            "candles"
        ]
        worth = sum(Decimal(hour["close"]) * Decimal(hour["volume"]) for hour in hours)
        usual = worth / sum(Decimal(hour["volume"]) for hour in hours)
        off = (Decimal(last) - usual) / usual * 100
        assert distance == f"({off:+.2f}%"
        assert word == ("hold" if abs(off) < 2 else "SELL" if off > 0 else "BUY")


def test_it_reports_one_pair(address: str) -> None:
    done = run(address, "PEK_HBD")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert done.stdout.startswith("PEK_HBD ")


def test_it_says_what_is_wrong(address: str) -> None:
    done = run(address, "PEK_DOGE")
    assert (done.returncode, done.stderr) == (1, "There is no pair PEK_DOGE.\n")


def test_a_market_without_a_trade(fresh: World) -> None:
    for address in serve(fresh):
        done = run(address)
        assert done.returncode == 0, done.stderr
        assert [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()] == ["no trade yet"] * 3


def test_it_does_not_take_again_what_it_holds(past_world: PastWorld, address: str) -> None:
    """Requests for the same block are answered with 304, with the same result."""
    spec = importlib.util.spec_from_file_location("market_bot", BOT)
    assert spec is not None
    assert spec.loader is not None
    bot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bot)
    market = bot.Market(address)
    first = [bot.report(market, ticker) for ticker in market.get("coingecko/tickers")]
    before = not_modified(address)
    assert [bot.report(market, ticker) for ticker in market.get("coingecko/tickers")] == first
    assert not_modified(address) - before == 10


def not_modified(address: str) -> float:
    """How many requests the server has answered with 304."""
    text = requests.get(f"{address}/metrics", timeout=30).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "peakedex_http_requests_total" and sample.labels["status"] == "304"
    )
