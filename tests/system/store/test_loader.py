"""The state machine loaded from the rows equals the one that wrote them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from settlement.core.journal.state_text import state_hash, state_text
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import StoreError, open_reader, open_writer
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.support import databases
from tests.system.store.chains import VENUE_TEXT, demo, dump, journal, lively, picture, read_on, replay
from tests.system.store.random_chains import batch_of, projected, random_chain


@pytest.mark.parametrize("seed", [1, 2])
def test_a_loaded_state_machine_equals_the_original(seed: int) -> None:
    """After every block: state text, hash, and all of the state in its order."""
    venue, blocks = random_chain(seed)
    database = open_writer(databases.fresh())
    rules, projector = load_or_initialise(database, venue)
    for block in blocks:
        projector.project(batch_of(rules, [block]))
        loaded = load(database)
        assert loaded.next_block() == block.header.number + 1
        assert picture(loaded.state) == picture(rules.state)
        assert state_text(loaded.state).splitlines() == list(block.state)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_restart_after_every_block_changes_nothing(seed: int) -> None:
    restarted, undisturbed = projected(seed, 1, restart_every=1), projected(seed, 1)
    assert picture(restarted[0].state) == picture(undisturbed[0].state)
    assert dump(restarted[1]) == dump(undisturbed[1])


def test_a_reader_loads_the_same_state_as_the_writer(tmp_path: Path) -> None:
    folder, url = lively().write(tmp_path), databases.url(tmp_path / "dex.db")
    rules, _ = replay(folder, url)
    loaded = load(open_reader(url))
    assert state_hash(loaded.state) == state_hash(rules.state)
    assert loaded.state.journal_hash == rules.state.journal_hash
    assert loaded.state.venue == demo()


def test_a_loaded_state_machine_continues_like_the_original(tmp_path: Path) -> None:
    """Its tables are the same as without the restart."""
    folder = lively().write(tmp_path / "chain")
    url = databases.url(tmp_path / "dex.db")
    for until in (13, 50, 51, 90):
        replay(folder, url, until=until)
    rules, database = replay(folder, url)
    calm, undisturbed = replay(folder)
    assert picture(rules.state) == picture(calm.state)
    assert journal(database) == journal(undisturbed)
    assert dump(database) == dump(undisturbed)


def test_a_restart_before_the_first_block_starts_at_the_start_block() -> None:
    database = open_writer(databases.fresh())
    load_or_initialise(database, demo())
    rules, _ = load_or_initialise(database, demo())
    assert rules.next_block() == demo().start_block
    assert rules.state.journal_hash == demo().hash
    assert rules.state.header is None


def test_secondary_indexes_do_not_change_what_is_loaded(tmp_path: Path) -> None:
    rules, database = replay(lively().write(tmp_path))
    make_read_indexes(database)
    assert picture(load(database).state) == picture(rules.state)


def test_the_venue_of_the_database_is_enough(tmp_path: Path) -> None:
    """The database stores the text of the venue file."""
    _, database = replay(lively().write(tmp_path), until=5)
    assert load(database).state.venue_hash == demo().hash
    assert load(database).state.venue.text == VENUE_TEXT


def test_settings_outside_consensus_may_change_between_starts(tmp_path: Path) -> None:
    folder = lively().write(tmp_path)
    _, database = replay(folder, until=5)
    renamed = parse_venue(VENUE_TEXT.replace('name = "Peake DEX"', 'name = "Another name"'))
    assert renamed.hash == demo().hash
    rules, projector = load_or_initialise(database, renamed)
    read_on(rules, projector, folder)
    assert load(database).state.venue.name == "Another name"


def test_the_database_of_another_venue_is_refused(tmp_path: Path) -> None:
    _, database = replay(lively().write(tmp_path), until=5)
    before = dump(database)
    other = parse_venue(VENUE_TEXT.replace("taker_fee_bps = 20", "taker_fee_bps = 21", 1))
    with pytest.raises(
        StoreError, match=r"belongs to another venue .* use its own venue file, or another --db"
    ):
        load_or_initialise(database, other)
    assert dump(database) == before


def test_a_database_without_a_venue_is_refused() -> None:
    with pytest.raises(StoreError, match="has no venue yet: give its file with --venue"):
        load(open_writer(databases.fresh()))


def test_a_damaged_venue_text_is_reported(tmp_path: Path) -> None:
    _, database = replay(lively().write(tmp_path), until=5)
    with database.begin() as connection:
        connection.execute(update(schema.cursor).values(venue_text="[venue]\n"))
    with pytest.raises(StoreError, match=r"cannot parse the database's venue: .*"):
        load(database)
    assert load(database, demo()).next_block() == 6


@pytest.mark.parametrize(
    "column",
    [
        schema.balances.c.available,
        schema.balances.c.locked,
        schema.balances.c.withdrawing,
        schema.orders.c.remaining,
        schema.withdrawals.c.amount,
    ],
)
def test_rows_that_violate_invariants_are_refused_at_start(tmp_path: Path, column: object) -> None:
    """All invariants are checked after loading, whether or not the state was ever compared."""
    _, database = replay(lively().write(tmp_path))
    assert isinstance(column, type(schema.orders.c.remaining))
    with database.begin() as connection:
        connection.execute(update(column.table).values({column: column + 100_000_000_000}))
        connection.execute(delete(schema.state_check))
    problem = "do not add up to zero|does not hold a valid state: not a state text: InvariantError"
    with pytest.raises(StoreError, match=problem):
        load(database)


def test_two_loads_share_no_state(tmp_path: Path) -> None:
    folder = lively().write(tmp_path)
    _, database = replay(folder, until=50)
    first, second = load(database), load(database)
    before = picture(second.state)
    for order in list(first.state.orders.values()):
        order.remaining = 0
    for token in first.state.tokens.values():
        token.holdings += 1
    assert picture(second.state) == before
    assert replace(demo()) == second.state.venue
