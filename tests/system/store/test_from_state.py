"""A replica that starts from a state text alone continues like one with the whole history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.state_machine import StateMachine
from settlement.store.database import StoreError, open_writer
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.write.initialise import initialise_from_state
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.rebuild import HistoryError, check, rebuild
from tests.support import databases
from tests.system.store.chains import dump, journal, picture
from tests.system.store.random_chains import RandomBlock, batch_of, projected, random_chain

SIZE = 7


def state_after(seed: int, count: int) -> StateMachine:
    """The rules after so many blocks of a random chain."""
    venue, blocks = random_chain(seed)
    rules = StateMachine(venue)
    for block in blocks[:count]:
        rules.apply(block.header, block.events)
    return rules


def replica(seed: int, count: int) -> tuple[Database, Sequence[RandomBlock], str]:
    """A database that starts from the state after so many blocks; the blocks that follow; the state's text."""
    venue, blocks = random_chain(seed)
    rules, database = state_after(seed, count), open_writer(databases.fresh())
    text = state_text(rules.state)
    initialise_from_state(database, venue, text, state_hash(rules.state))
    return database, blocks[count:], text


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 20, 45])
def test_a_replica_continues_like_the_original(seed: int, count: int) -> None:
    database, blocks, text = replica(seed, count)
    rules, projector = load_or_initialise(database, random_chain(seed)[0])
    assert state_text(rules.state) == text
    for at in range(0, len(blocks), SIZE):
        projector.project(batch_of(rules, blocks[at : at + SIZE]))
        assert picture(load(database).state) == picture(rules.state)
    whole_rules, whole = projected(seed, 60)
    assert picture(rules.state) == picture(whole_rules.state)
    start = random_chain(seed)[1][count].header.number
    after, expected = journal(database), journal(whole)
    assert expected.endswith(after)
    assert after.startswith("block ")
    rows, all_rows = dump(database), dump(whole)
    assert [without_numbers(row) for row in rows["trades"]] == [
        without_numbers(row) for row in all_rows["trades"] if row[1] >= start
    ]


def without_numbers(trade: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of trades without the numbers of pair and accounts, which are given in another order."""
    return (*trade[:2], *trade[3:5], *trade[7:])


@pytest.mark.parametrize("seed", range(2))
def test_past_blocks_are_known_from_the_state_s_block_on(seed: int) -> None:
    database, blocks, text = replica(seed, 20)
    rules, projector = load_or_initialise(database, random_chain(seed)[0])
    projector.project(batch_of(rules, blocks))
    number = random_chain(seed)[1][19].header.number
    asked, lines = 0, journal(database)
    with database.connect() as connection:
        assert read_state_text(connection, number) == text
        for block in blocks:
            if f"block {block.header.number} " in lines:
                assert read_state_text(connection, block.header.number).splitlines() == list(block.state)
                asked += 1
    assert asked


def test_the_chain_of_its_journal_is_checked_from_the_state_s_block_on() -> None:
    database, blocks, _ = replica(1, 20)
    rules, projector = load_or_initialise(database, random_chain(1)[0])
    projector.project(batch_of(rules, blocks))
    with database.connect() as connection:
        check(connection)
    with pytest.raises(HistoryError, match=r"begins with the state text of block \d+: start again with"):
        rebuild(database)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE blocks SET timestamp = 0 WHERE n = 3")
    with database.connect() as connection, pytest.raises(HistoryError, match="hash chain breaks at block"):
        check(connection)


def test_the_state_before_the_first_block_is_that_of_the_venue_file() -> None:
    venue, blocks = random_chain(1)
    rules, database = StateMachine(venue), open_writer(databases.fresh())
    initialise_from_state(database, venue, state_text(rules.state), state_hash(rules.state))
    rules, projector = load_or_initialise(database, venue)
    projector.project(batch_of(rules, blocks))
    assert dump(database) == dump(projected(1, 60)[1])


def test_a_state_text_is_refused_unless_it_has_the_hash() -> None:
    rules, database = state_after(1, 20), open_writer(databases.fresh())
    text, before = state_text(rules.state), dump(database)
    with pytest.raises(
        StoreError, match=r"the state text has hash .*, not 0000.*: get it again, or fix --state-hash"
    ):
        initialise_from_state(database, random_chain(1)[0], text, "0" * 64)
    with pytest.raises(StoreError, match="the state text has hash"):
        initialise_from_state(database, random_chain(1)[0], f"{text} ", state_hash(rules.state))
    assert dump(database) == before


def test_the_state_of_another_venue_is_refused() -> None:
    rules, database = state_after(1, 20), open_writer(databases.fresh())
    assert random_chain(2)[0].hash != random_chain(1)[0].hash
    with pytest.raises(StoreError, match="the state text cannot be used: it is of another venue"):
        initialise_from_state(database, random_chain(2)[0], state_text(rules.state), state_hash(rules.state))


def test_a_database_with_rows_is_refused() -> None:
    rules = state_after(1, 20)
    _, database = projected(1, 60)
    before = dump(database)
    with pytest.raises(StoreError, match="another process is writing to this database"):
        initialise_from_state(database, random_chain(1)[0], state_text(rules.state), state_hash(rules.state))
    assert dump(database) == before
