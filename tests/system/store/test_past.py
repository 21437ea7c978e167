"""Queries of past blocks agree with the journal's text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection

from indexer.chain.decode import decode
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from settlement.store import schema
from settlement.store.read.accounts.balances import read_all_balances, read_balances, stream_balance_changes
from settlement.store.read.accounts.orders import OrderFilter, OrderRow, find_orders, list_orders
from settlement.store.read.audit.journal import JournalBlock, read_journal
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.key_ranges import BlockRange
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.position import read_active_block
from settlement.store.read.venue import find_account, read_pairs
from settlement.store.write.projector import make_read_indexes
from tests.support import databases
from tests.system.store.chains import demo, lively, replay
from tests.system.store.journal_model import JournalModel, ModelOrder
from tests.system.store.random_chains import projected, random_chain

ASKED = 50


@dataclass
class Recorded:
    """A recorded chain, one connection to it, and its journal."""

    folder: Path
    rules: StateMachine
    connection: Connection
    blocks: list[JournalBlock]

    @property
    def tip(self) -> int:
        return self.rules.next_block() - 1

    def model(self) -> JournalModel:
        return JournalModel(self.rules.state.venue)

    def pair_id(self, name: str) -> int:
        (found,) = (
            number for number, row in read_pairs(self.connection).items() if f"{row.base}/{row.quote}" == name
        )
        return found


@pytest.fixture(scope="module", params=[(1, 120, 20), (5, 400, 1)], ids=["busy", "quiet"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    home = tmp_path_factory.mktemp("past")
    folder = lively(*request.param).write(home / "chain")
    rules, database = replay(folder, databases.url(home / "dex.db"), batch=7)
    make_read_indexes(database)
    with database.connect() as connection:
        yield Recorded(folder, rules, connection, list(read_journal(connection)))
    database.dispose()


def moments(recorded: Recorded, asked: int = ASKED) -> Iterator[tuple[int, JournalModel]]:
    """Random blocks, the first ones and the last one, each with what the journal says of it."""
    tip = recorded.tip
    chosen = {0, 1, 2, tip - 1, tip, *Random(7).sample(range(3, tip - 1), asked)}
    model, unread = recorded.model(), list(recorded.blocks)
    for number in sorted(chosen):
        while unread and unread[0].number <= number:
            model.read(unread.pop(0).lines)
        yield number, model


def test_state_of_every_active_block(recorded: Recorded) -> None:
    """What an indexer would have printed at that block."""
    rules = StateMachine(demo())
    ours = {block.number for block in recorded.blocks}
    asked = 0
    for block, receipts in ArchiveSource(recorded.folder, rules.venue_filter).blocks(Cursor(0)):
        rules.apply(block.header, decode(block, rules.venue_filter, receipts))
        if (block.number in ours and block.number % 4 == 0) or block.number == recorded.tip:
            text = read_state_text(recorded.connection, block.number)
            assert text == state_text(rules.state), block.number
            asked += 1
    assert asked > 5


def test_balances_of_past_blocks(recorded: Recorded) -> None:
    precisions = {token.symbol: token.precision for token in recorded.rules.state.tokens.values()}
    for number, model in moments(recorded):
        held = model.held()
        for name in {name for name, _ in held}:
            account = find_account(recorded.connection, name)
            assert account is not None
            rows = read_balances(recorded.connection, account, number)
            assert [(row.symbol, *row[2:]) for row in rows] == sorted(
                (symbol, *units) for (holder, symbol), units in held.items() if holder == name
            ), (number, name)
            assert all(row.precision == precisions[row.symbol] for row in rows)
        holders = {
            (row.account, row.symbol): row[3:] for row in read_all_balances(recorded.connection, number)
        }
        assert holders == held
    now = sorted(read_all_balances(recorded.connection))
    assert now == sorted(read_all_balances(recorded.connection, recorded.tip))


def test_balance_changes_of_a_block(recorded: Recorded) -> None:
    model = recorded.model()
    for block in recorded.blocks:
        before = model.held()
        model.read(block.lines)
        held = model.held()
        blocks = BlockRange(block.number, block.number)
        rows = [row.holder for row in stream_balance_changes(recorded.connection, None, blocks)]
        changed = {(row.account, row.symbol): row[3:] for row in rows}
        for key, units in held.items():
            if units != before.get(key):
                assert changed[key] == units
        assert all(held[key] == units for key, units in changed.items() if any(units))


def test_books_of_past_blocks(recorded: Recorded) -> None:
    levels = 0
    for number, model in moments(recorded):
        for pair in recorded.rules.state.pairs.values():
            if pair.name not in model.ledger.pairs:
                continue  # not listed yet
            pair_id = recorded.pair_id(pair.name)
            for is_buy in (True, False):
                rows = read_levels(recorded.connection, pair_id, is_buy, 500, number)
                assert list(map(tuple, rows)) == model.book(pair.name, is_buy), (number, pair.name)
                assert read_levels(recorded.connection, pair_id, is_buy, 2, number) == rows[:2]
                levels += len(rows)
                if number == recorded.tip:
                    assert read_levels(recorded.connection, pair_id, is_buy, 500) == rows
    assert levels


def shown(row: OrderRow, pairs: dict[int, str]) -> tuple[Any, ...]:
    return (
        *(row.seq, row.id, row.account, pairs[row.pair_id], row.is_buy, row.market, row.price, row.quantity),
        *(row.remaining, row.locked, row.received, row.released, row.traded_base, row.traded_quote),
        *(row.fees, schema.ORDER_STATUSES[row.status], row.expiry, row.block, row.closed_block),
    )


def expected(order: ModelOrder) -> tuple[Any, ...]:
    view = order.view
    status = "waiting" if view.is_stop and view.status == "open" else view.status
    return (
        *(view.seq, view.id, order.account, view.pair.line.pair, view.is_buy, view.market),
        *(view.price, view.quantity),
        *(view.remaining, view.locked, view.received, view.released, view.traded_base, view.traded_quote),
        *(view.fees, status, view.expiry, view.block, order.closed_block),
    )


def status_of(order: ModelOrder) -> str:
    return str(expected(order)[15])


def everything(listed: Any, limit: int = 7) -> list[OrderRow]:
    """All pages of a list."""
    rows: list[OrderRow] = []
    before = None
    while True:
        page = listed(before, limit)
        assert len(page.rows) <= limit
        rows.extend(page.rows)
        if page.next_key is None:
            return rows
        before = page.next_key


def test_orders_of_past_blocks(recorded: Recorded) -> None:
    connection = recorded.connection
    pairs = {number: f"{row.base}/{row.quote}" for number, row in read_pairs(connection).items()}
    for number, model in moments(recorded):
        then = list(model.orders.values())[::-1]
        for order in then[:: 1 + len(then) // 5]:
            found = {row.seq: row for row in find_orders(connection, order.view.id, number)}
            assert shown(found[order.view.seq], pairs) == expected(order), (number, order.view.id)
            earlier = find_orders(connection, order.view.id, order.view.block - 1)
            assert order.view.seq not in {row.seq for row in earlier}
        rows = everything(partial(_list, connection, OrderFilter(status=schema.OPEN), number))
        assert [shown(row, pairs) for row in rows] == [
            expected(order) for order in then if status_of(order) == "open"
        ], number


def test_lists_of_orders_of_past_blocks(recorded: Recorded) -> None:
    """By status, account and pair, and all of them together."""
    connection = recorded.connection
    pairs = {number: f"{row.base}/{row.quote}" for number, row in read_pairs(connection).items()}
    met = 0
    for number, model in moments(recorded, 3):
        then = list(model.orders.values())[::-1]
        accounts = {order.account for order in then}
        chosen = [OrderFilter(status=status) for status in range(len(schema.ORDER_STATUSES))]
        chosen += [OrderFilter(pair_id=pair, status=schema.OPEN) for pair in pairs]
        for account in sorted(accounts)[:3]:
            account_id = find_account(connection, account)
            for pair in (None, *list(pairs)[:2]):
                chosen += [OrderFilter(account_id, pair, status) for status in (None, schema.OPEN, 2)]
        names = {find_account(connection, account): account for account in accounts}
        for wanted in (OrderFilter(), *chosen):
            rows = everything(partial(_list, connection, wanted, number), 40)
            assert [shown(row, pairs) for row in rows] == [
                expected(order)
                for order in then
                if wanted.account_id is None or order.account == names[wanted.account_id]
                if wanted.pair_id is None or order.view.pair.line.pair == pairs[wanted.pair_id]
                if wanted.status is None or status_of(order) == schema.ORDER_STATUSES[wanted.status]
            ], (number, wanted)
            met += len(rows)
    assert met


def _list(connection: Connection, wanted: OrderFilter, number: int, before: int | None, limit: int) -> Any:
    return list_orders(connection, wanted, before, limit, number)


def test_the_newest_active_block_up_to_a_block(recorded: Recorded) -> None:
    numbers = [block.number for block in recorded.blocks]
    assert read_active_block(recorded.connection, numbers[0] - 1) is None
    for n, block in enumerate(recorded.blocks, start=1):
        past = read_active_block(recorded.connection, block.number)
        assert past is not None
        assert (past.number, past.n, past.journal_hash) == (block.number, n, block.journal_hash)
    quiet = set(range(numbers[0], numbers[-1])) - set(numbers)
    for number in quiet:
        past = read_active_block(recorded.connection, number)
        assert past is not None
        assert past.number == max(each for each in numbers if each < number)


@pytest.mark.parametrize("seed", range(6))
def test_state_text_of_every_active_block_of_a_random_chain(seed: int) -> None:
    """Against the naive model of the rules: every policy, odd tokens, stops, grants, timers."""
    _, blocks = random_chain(seed)
    _, database = projected(seed, 7)
    asked = 0
    with database.connect() as connection:
        for block in blocks:
            past = read_active_block(connection, block.header.number)
            if past is not None and past.number == block.header.number:
                assert read_state_text(connection, past.number).splitlines() == list(block.state)
                asked += 1
    assert asked > len(blocks) / 4
    database.dispose()
