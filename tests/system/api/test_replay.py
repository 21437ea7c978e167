"""An auditor with only the API: docs/verify/verify_journal.py derives from its journal every state that it returns,
and those states explain its balances, books and orders, at the newest and at past blocks.

The chain is the generator's busy one: tokens and pairs are listed along the way, rules change, pairs close.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from api.app import create_app
from api.settings import ApiSettings
from settlement.core.parsing.amounts import show_units
from settlement.core.state_machine import StateMachine
from settlement.store.write.projector import make_read_indexes
from tests.support.api_client import ApiClient
from tests.system.api.past_world import StateText, everything
from tests.system.store.chains import VENUE_TEXT, lively, replay

CHECKER = Path(__file__).parents[3] / "docs" / "verify" / "verify_journal.py"


@dataclass
class Audit:
    rules: StateMachine
    client: ApiClient
    home: Path

    @property
    def tip(self) -> int:
        return self.rules.next_block() - 1

    def blocks(self, count: int) -> list[int]:
        first = self.rules.state.venue.start_block
        return [*sorted(Random(4).sample(range(first, self.tip), count)), self.tip]

    def state(self, block: int) -> StateText:
        return StateText(self.client.get(f"/api/state?block={block}").text)


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    home = tmp_path_factory.mktemp("audit")
    url = f"sqlite:///{home / 'peakedex.db'}"
    rules, database = replay(lively().write(home / "chain"), url, batch=7)
    make_read_indexes(database)
    yield Audit(rules, ApiClient(create_app(ApiSettings(database_url=url))), home)
    database.dispose()


def test_the_journal_accounts_for_the_state(audit: Audit) -> None:
    journal, state, venue = (audit.home / name for name in ("journal", "state", "venue.toml"))
    venue.write_text(VENUE_TEXT, "utf-8")
    for block in audit.blocks(9):
        answer = audit.client.get(f"/api/state?block={block}")
        named = answer.text.split("\n")[2].split(" ")[1]
        journal.write_bytes(audit.client.get(f"/api/journal?to={named}").data)
        state.write_bytes(answer.data)
        hash_ = answer.headers["X-State-Hash"]
        command: list[str | Path] = [
            sys.executable,
            CHECKER,
            journal,
            venue,
            "--state",
            state,
            "--state-hash",
            hash_,
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr


def test_the_state_accounts_for_balances(audit: Audit) -> None:
    precisions = {token.symbol: token.precision for token in audit.rules.state.tokens.values()}
    for block in audit.blocks(30):
        for name, held in audit.state(block).balances.items():
            shown = audit.client.get(f"/api/balances?user={name}&block={block}").json["balances"]
            assert [
                tuple(row[field] for field in ("symbol", "available", "locked", "withdrawing"))
                for row in shown
            ] == [
                (symbol, *(show_units(units, precisions[symbol]) for units in amounts))
                for symbol, amounts in sorted(held.items())
            ]


def test_the_state_accounts_for_books_orders_and_stops(audit: Audit) -> None:
    levels = stops = 0
    for block in audit.blocks(30):
        state = audit.state(block)
        for pair in audit.rules.state.pairs.values():
            path = f"/api/orderbook?base={pair.base.symbol}&quote={pair.quote.symbol}&depth=500"
            shown = audit.client.get(f"{path}&block={block}").json
            for name, side in (("bids", "buy"), ("asks", "sell")):
                expected = [
                    (show_units(price, pair.price_decimals), show_units(units, pair.base.precision), count)
                    for price, units, count in state.book(pair.name, side)
                ]
                assert [(row["price"], row["amount"], row["orders"]) for row in shown[name]] == expected
                levels += len(expected)
        for status, rows in (("open", state.orders), ("waiting", state.stops)):
            path = f"/api/orders?status={status}&block={block}"
            assert [
                (row["seq"], row["id"], row["user"]) for row in everything(audit.client, path, "orders", 1000)
            ] == [(int(seq), id_, user) for seq, id_, user, *_ in reversed(rows)]
        stops += len(state.stops)
    assert levels > 300
    assert stops > 10
