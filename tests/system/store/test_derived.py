"""Derived rows are what the history says: kept as it happens, or made again, they are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import select

from settlement.store import schema
from settlement.store.database import open_reader, open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from settlement.store.write.rebuild import HistoryError, rebuild
from tests.support import databases
from tests.system.store.brief import brief, venue
from tests.system.store.chains import dump, lively, replay
from tests.system.store.random_chains import random_chain

DERIVED = ("balance_changes", "order_changes", "holding_changes", "candles", "totals")
SPOIL = (
    *(f"DELETE FROM {table}" for table in DERIVED),
    "UPDATE blocks SET n = n + 7, last_seq = 0, last_trade = 1, last_withdrawal = 2, last_refund = 3",
    "UPDATE cursor SET last_block_n = 0",
    *(f"UPDATE {table} SET fork = 5" for table in ("orders", "withdrawals", "refunds")),
)


def made_again(database: Database) -> dict[str, list[Any]]:
    """The database's rows after all that is derived was lost and made again."""
    with database.begin() as connection:
        for statement in SPOIL:
            connection.exec_driver_sql(statement)
    spoilt = dump(database)
    assert not any(spoilt[table] for table in DERIVED)
    counts = rebuild(database)
    rows = dump(database)
    assert counts == {table: len(rows[table]) for table in DERIVED}
    return rows


def recorded(seed: int, batch: int, restart_every: int) -> Database:
    """A random chain, recorded in batches; after every so many of them by another indexer."""
    chain_venue, blocks = random_chain(seed)
    database = open_writer(databases.fresh())
    rules, recorder = load_or_initialise(database, chain_venue)
    batches = [blocks[at : at + batch] for at in range(0, len(blocks), batch)]
    for number, some in enumerate(batches, start=1):
        recorder.record([rules.apply(block.header, block.events) for block in some])
        if number % restart_every == 0:
            rules, recorder = load_or_initialise(database, chain_venue)
    return database


@pytest.mark.parametrize("seed", range(8))
def test_kept_rows_are_those_that_are_made_again(seed: int) -> None:
    """Whatever the batches, wherever it was started anew."""
    kept = [dump(recorded(seed, *size)) for size in ((1, 5), (7, 2), (1000, 1))]
    assert kept[0] == kept[1] == kept[2]
    database = recorded(seed, 3, 4)
    assert dump(database) == kept[0]
    assert made_again(database) == kept[0]


def test_random_chains_have_something_of_everything() -> None:
    dumps = [dump(recorded(seed, 1000, 1)) for seed in range(8)]
    for table in DERIVED:
        assert sum(len(rows[table]) for rows in dumps) > 50 or table == "totals", table
    for table in ("orders", "withdrawals", "refunds"):
        fork = list(schema.metadata.tables[table].columns.keys()).index("fork")
        assert any(row[fork] is not None for rows in dumps for row in rows[table]), table
    released = list(schema.order_changes.columns.keys()).index("released")
    assert any(row[released] for rows in dumps for row in rows["order_changes"])


@pytest.mark.parametrize("chain", ["lively", "brief"])
def test_the_same_of_blocks_out_of_an_archive(tmp_path: Path, chain: str) -> None:
    """With the indexes of readers there, as after catching up."""
    blocks, rules_venue = (lively(), None) if chain == "lively" else (brief(), venue())
    folder = blocks.write(tmp_path / "chain")
    replay(folder, databases.url(tmp_path / "dex.db"), venue=rules_venue, until=5, batch=2)
    database = open_writer(databases.url(tmp_path / "dex.db"))
    make_read_indexes(database)
    replay(folder, databases.url(tmp_path / "dex.db"), venue=rules_venue, batch=7)
    kept = dump(database)
    assert made_again(database) == kept


def test_many_rows_are_read_and_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    database = recorded(1, 1000, 1)
    kept = dump(database)
    monkeypatch.setattr("settlement.store.write.rebuild._MANY", 3)
    assert made_again(database) == kept


def test_rebuilding_is_all_or_nothing(tmp_path: Path) -> None:
    """Where the history does not add up to what stands there, it says what, and nothing was changed."""
    wrong: list[tuple[str, str]] = [
        ("UPDATE balances SET available = available + 1 WHERE account_id = 3", "balance of account 3, token"),
        ("UPDATE orders SET received = received + 1 WHERE status = 0", "order "),
        ("UPDATE holdings SET units = '17'", "holdings of "),
        ("DELETE FROM transfers WHERE n = 1", "balance of account "),
    ]
    for statement, what in wrong:
        database = recorded(2, 1000, 1)
        with database.begin() as connection:
            assert connection.exec_driver_sql(statement).rowcount > 0
        before = dump(database)
        with pytest.raises(
            HistoryError, match=f"^{what}.*: the history says .*; replay the chain into a new"
        ):
            rebuild(database)
        assert dump(database) == before


def test_readers_go_on_while_rows_are_made_again(tmp_path: Path) -> None:
    """They see the rows of before, then those of after: never half of them."""
    folder = lively().write(tmp_path / "chain")
    _, database = replay(folder, databases.url(tmp_path / "dex.db"))
    kept = dump(database)
    reader = open_reader(databases.url(tmp_path / "dex.db"))
    seen = []

    def look(_: str) -> None:
        with reader.connect() as connection:
            seen.append(len(connection.execute(select(schema.balance_changes)).all()))

    rebuild(database, on_step=look)
    assert seen == [len(kept["balance_changes"])] * len(seen)
    assert len(seen) > 5
