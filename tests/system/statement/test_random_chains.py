"""Statements over random chains with every policy and odd input, and over a history that begins with a state text."""

from __future__ import annotations

from collections import defaultdict

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import select

from settlement.core.state_machine import StateMachine
from settlement.store import schema
from settlement.store.read.key_ranges import BlockRange
from settlement.store.read.position import read_earliest_block, read_position
from settlement.store.read.statement.entries import find_holder, open_period
from settlement.store.read.statement.statement import Statement
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.system.store.random_chains import batch_of, projected, random_chain
from tests.system.store.test_from_state import replica

SIZE = 7


def check_all(rules: StateMachine, database: Database) -> int:
    """Opening balances and changes of every account are what it holds by the rules; the number of entries."""
    count = 0
    with database.connect() as connection:
        at = read_position(connection)
        assert at is not None
        start = read_earliest_block(connection)
        period = open_period(connection, BlockRange(start + 1, at.block))
        for name in connection.scalars(select(schema.accounts.c.name)).all():
            found = Statement(connection, find_holder(connection, name), period, at.block)
            bases = found.cost_bases()
            sums: defaultdict[str, int] = defaultdict(int)
            for row in found.opening:
                sums[row.symbol] = row.available + row.locked + row.withdrawing
            for line in found.lines(rows=5, bases=bases):
                count += 1
                for change, balance in zip(line.entry.changes, line.balances, strict=True):
                    sums[change.symbol] += change.units
                    assert balance == sums[change.symbol] >= 0
            held = {
                balance.symbol: sum(balance.buckets[:3])
                for balance in rules.state.account(name).balances.values()
            }
            assert {symbol: units for symbol, units in sums.items() if units} == {
                symbol: units for symbol, units in held.items() if units
            }
            for basis in bases:
                for symbol, units in sums.items():
                    assert sum(lot.units for lot in basis.held(symbol)) == units
    return count


@pytest.mark.parametrize("seed", range(5))
def test_statements_of_random_chains_add_up(seed: int) -> None:
    rules, database = projected(seed, SIZE)
    make_read_indexes(database)
    assert check_all(rules, database) > 30


@pytest.mark.parametrize("seed", range(3))
def test_a_history_that_begins_with_a_state_text_opens_with_its_balances(seed: int) -> None:
    database, blocks, _ = replica(seed, 25)
    rules, projector = load_or_initialise(database, random_chain(seed)[0])
    for at in range(0, len(blocks), SIZE):
        projector.project(batch_of(rules, blocks[at : at + SIZE]))
    make_read_indexes(database)
    assert check_all(rules, database) > 10
