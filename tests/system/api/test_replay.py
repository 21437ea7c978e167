"""An auditor with only the API: its journal, interpreted line by line, explains every balance, book, order and state
that it returns, at the newest and at 50 past blocks.

The chain is the generator's busy one: tokens and pairs are listed along the way, rules change, pairs close.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from settlement.core.parsing.amounts import show_units
from settlement.core.state_machine import StateMachine
from settlement.store.write.projector import make_read_indexes
from tests.system.api.past_world import everything
from tests.system.store.chains import lively, replay
from tests.system.store.naive_journal import NaiveJournal, NaivePair


@dataclass
class Audit:
    rules: StateMachine
    client: FlaskClient

    @property
    def tip(self) -> int:
        return self.rules.next_block() - 1

    def moments(self, count: int) -> Iterator[tuple[NaiveJournal, int]]:
        """The auditor's books at some blocks, in order, the tip last."""
        state = self.rules.state
        pairs = {
            pair.name: NaivePair(
                pair.base.precision, pair.quote.precision, pair.price_decimals, pair.quantity_decimals
            )
            for pair in state.pairs.values()
        }
        precisions = {token.symbol: token.precision for token in state.tokens.values()}
        books = NaiveJournal(
            precisions, len(state.venue.tokens), pairs, state.venue.fee_account, state.venue_hash
        )
        read = state.venue.start_block - 1
        for block in [*sorted(Random(4).sample(range(read, self.tip), count)), self.tip]:
            books.read(self.client.get(f"/api/journal?from={read + 1}&to={block}").text)
            read = block
            yield books, block


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    home = tmp_path_factory.mktemp("audit")
    url = f"sqlite:///{home / 'peakedex.db'}"
    rules, database = replay(lively().write(home / "chain"), url, batch=7)
    make_read_indexes(database)
    yield Audit(rules, create_app(ApiSettings(database_url=url)).test_client())
    database.dispose()


def test_the_journal_accounts_for_the_state(audit: Audit) -> None:
    for books, block in audit.moments(50):
        shown = audit.client.get(f"/api/state?block={block}").text.splitlines()
        told = books.state().splitlines()
        assert shown[:2] + shown[3:] == told[:2] + told[3:]


def test_the_journal_accounts_for_balances(audit: Audit) -> None:
    precisions = {token.symbol: token.precision for token in audit.rules.state.tokens.values()}
    for books, block in audit.moments(50):
        for name in {name for name, _ in books.held}:
            shown = audit.client.get(f"/api/balances?user={name}&block={block}").json["balances"]
            assert [
                tuple(row[field] for field in ("symbol", "available", "locked", "withdrawing"))
                for row in shown
            ] == [
                (symbol, *(show_units(units, precisions[symbol]) for units in held))
                for symbol, *held in books.balances(name)
            ]


def test_the_journal_accounts_for_books_and_orders(audit: Audit) -> None:
    levels = 0
    for books, block in audit.moments(50):
        for name, pair in books.pairs.items():
            base, quote = name.split("/")
            shown = audit.client.get(f"/api/orderbook?base={base}&quote={quote}&depth=500&block={block}").json
            for side, is_buy in (("bids", True), ("asks", False)):
                expected = [
                    (show_units(price, pair.price), show_units(units, pair.base), count)
                    for price, units, count in books.book(name, is_buy)
                ]
                assert [(row["price"], row["amount"], row["orders"]) for row in shown[side]] == expected
                levels += len(expected)
        open_now = everything(audit.client, f"/api/orders?status=open&block={block}", "orders", 1000)
        assert [(row["seq"], row["id"], row["user"]) for row in open_now] == [
            (order.seq, order.id, order.account)
            for order in sorted(books.open_orders(), key=lambda order: -order.seq)
        ]
    assert levels > 500


def test_the_journal_accounts_for_every_order_s_end(audit: Audit) -> None:
    *_, (books, block) = audit.moments(0)
    shown = everything(audit.client, f"/api/orders?block={block}", "orders", 1000)
    assert shown == everything(audit.client, "/api/orders?", "orders", 1000)
    assert len(shown) == len(books.orders) > 300
    for row in shown:
        order = books.orders[row["id"]]
        base, quote = (books.precisions[symbol] for symbol in order.pair.split("/"))
        gives, gets = (quote, base) if order.is_buy else (base, quote)
        assert (row["status"], row["closed_block"]) == (order.status, order.closed_block)
        assert row["received"] == show_units(order.received, gets)
        assert row["released"] == show_units(order.released, gives)
        assert row["locked"] == show_units(order.locked, gives)
