"""SQLite and PostgreSQL: the same archive gives the same journal, state, rows, and answers of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app, resources
from api.settings import ApiSettings
from settlement.core.journal.state_text import state_text
from settlement.store.database import open_reader
from settlement.store.write.loader import load
from settlement.store.write.projector import make_read_indexes
from tests.support.api_client import ApiClient
from tests.support.databases import KINDS
from tests.support.postgres import database
from tests.system.cli.command import peakedex
from tests.system.store.chains import VENUE_TEXT, demo, dump, journal, lively, picture, replay

RESTARTS = (1, 3, 30, 77, 119, None)
TIME = 1_800_000_000.0


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One chain in both databases, in batches of seven blocks, with restarts."""
    home = tmp_path_factory.mktemp("both")
    archive = lively().write(home / "chain")
    with database(KINDS[0], home) as sqlite, database(KINDS[1], home) as postgresql:
        for url in (sqlite, postgresql):
            for until in RESTARTS:
                _, engine = replay(archive, url, until=until, batch=7)
            make_read_indexes(engine)
            engine.dispose()
        yield dict(zip(KINDS, (sqlite, postgresql), strict=True))


def test_journal_state_memory_and_every_row(urls: dict[str, str]) -> None:
    seen = []
    for url in urls.values():
        reader = open_reader(url)
        state = load(reader, demo()).state
        seen.append((journal(reader), state.journal_hash, state_text(state), picture(state), dump(reader)))
        reader.dispose()
    assert seen[0] == seen[1]
    assert len(seen[0][0].splitlines()) > 1000


def addresses(url: str) -> list[str]:
    """Requests of every path, at the tip and past blocks, with parameters from the ledger."""
    reader = open_reader(url)
    rules = load(reader, demo())
    state, tip = rules.state, rules.next_block() - 1
    order_ids = [line.split(" ")[1] for line in journal(reader).splitlines() if line.startswith("order ")]
    reader.dispose()
    users = sorted(state.accounts)[:6]
    pairs = [f"base={p.base.symbol}&quote={p.quote.symbol}" for p in state.pairs.values()]
    found = []
    for at in (tip, 1, 40, 77):
        block = f"block={at}"
        found += [f"/api/{path}?user={user}&{block}" for user in users for path in ("balances", "orders")]
        found += [f"/api/orders?user={user}&status=open&{block}" for user in users]
        found += [f"/api/orders?{pair}&status=filled&{block}" for pair in pairs]
        found += [f"/api/orderbook?{pair}&{block}" for pair in pairs]
        found += [f"/api/orders/{ident}?{block}" for ident in order_ids[:8]]
        found += [f"/api/state?{block}", f"/api/blocks/{at}"]
    for path in ("deposits", "withdrawals", "transfers", "proof", "grants", "timers", "statement"):
        found += [f"/api/{path}?user={user}" for user in users]
    for path in ("history", "price", "candles"):
        found += [f"/api/{path}?{pair}{'&interval=5m' if path == 'candles' else ''}" for pair in pairs]
    found += [f"/api/orders?user={user}&status=rejected" for user in users]
    found += [f"/api/intents/{ident.split('-')[0]}" for ident in order_ids[:8]]
    found += ["/api/venue", "/api/pairs", "/api/journal", "/api/solvency", "/api/checkpoints"]
    found += ["/api/peers", "/api/liabilities", "/api/marks"]
    found += ["/api/withdrawals", "/api/coingecko/pairs", "/api/coingecko/tickers"]
    return found


def test_the_api_answers_the_same(urls: dict[str, str]) -> None:
    asked = addresses(urls["sqlite"])
    clients = []
    for url in urls.values():
        settings = ApiSettings(database_url=url, network="devnet", clock=lambda: TIME)
        clients.append(ApiClient(create_app(settings)))
    answered = 0
    for address in asked:
        one, other = (client.get(address) for client in clients)
        assert (one.status_code, one.headers.get("ETag")) == (other.status_code, other.headers.get("ETag")), (
            address
        )
        assert one.data == other.data, address
        answered += one.status_code == 200
    assert answered > 0.8 * len(asked), [each for each in asked if clients[0].get(each).status_code != 200]
    known = {resource.path.split("/")[2].split("<")[0] for resource in resources(settings)}
    assert {address.split("/")[2].split("?")[0] for address in asked} >= known - NOT_ASKED


NOT_ASKED = {"atom", "coinmarketcap", "udf"}  # other words for the same queries


def test_the_command_line_takes_either(tmp_path: Path, postgresql: str) -> None:
    """`replay --db`, then `state` and `journal`, print the same bytes."""
    (tmp_path / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    archive = lively().write(tmp_path / "chain")
    said: list[Any] = []
    for url in (f"sqlite:///{tmp_path / 'dex.db'}", postgresql):
        options = ("--venue", tmp_path / "venue.toml", "--archive", archive, "--db", url, "--json")
        done = peakedex("replay", *options)
        assert done.code == 0, done.err
        counts = {key: value for key, value in json.loads(done.out).items() if "second" not in key}
        said.append((counts, peakedex("state", "--db", url).out, peakedex("journal", "--db", url).out))
    assert said[0] == said[1]
    assert peakedex("db", "upgrade", "--db", postgresql).code == 0
    assert peakedex("db", "rebuild", "--db", postgresql).code == 0
