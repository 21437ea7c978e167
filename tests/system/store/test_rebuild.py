"""Derived rows are the same whether the projector maintained them or `db rebuild` recomputed them."""

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
from tests.system.store.chains import dump, lively, replay
from tests.system.store.random_chains import random_chain
from tests.system.store.short_chain import short_chain, venue

DERIVED = ("balance_changes", "order_changes", "holding_changes", "candles", "totals")
SPOIL = (
    *(f"DELETE FROM {table}" for table in DERIVED),
    "UPDATE blocks SET n = n + 7, last_seq = 0, last_trade = 1, last_withdrawal = 2, last_refund = 3",
    "UPDATE cursor SET last_block_n = 0",
    *(f"UPDATE {table} SET fork = 5" for table in ("orders", "withdrawals", "refunds")),
)


def rebuilt(database: Database) -> dict[str, list[Any]]:
    """The database's rows after all derived ones were damaged and rebuilt."""
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
    """A random chain, projected in batches, with a restart after every `restart_every` of them."""
    chain_venue, blocks = random_chain(seed)
    database = open_writer(databases.fresh())
    rules, projector = load_or_initialise(database, chain_venue)
    batches = [blocks[at : at + batch] for at in range(0, len(blocks), batch)]
    for number, some in enumerate(batches, start=1):
        projector.record([rules.apply(block.header, block.events) for block in some])
        if number % restart_every == 0:
            rules, projector = load_or_initialise(database, chain_venue)
    return database


def test_a_rebuild_of_more_rows_than_are_read_at_a_time(tmp_path: Path) -> None:
    _, database = replay(lively().write(tmp_path), databases.fresh())
    kept = dump(database)
    assert len(kept["transfers"]) > 1_000
    assert rebuilt(database) == kept


@pytest.mark.parametrize("seed", range(8))
def test_rebuilt_rows_equal_the_projected_ones(seed: int) -> None:
    """Whatever the batch size and the restarts."""
    kept = [dump(recorded(seed, *size)) for size in ((1, 5), (7, 2), (1000, 1))]
    assert kept[0] == kept[1] == kept[2]
    database = recorded(seed, 3, 4)
    assert dump(database) == kept[0]
    assert rebuilt(database) == kept[0]


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
def test_the_same_with_blocks_from_an_archive(tmp_path: Path, chain: str) -> None:
    """With the secondary indexes, as after catching up."""
    blocks, rules_venue = (lively(), None) if chain == "lively" else (short_chain(), venue())
    folder = blocks.write(tmp_path / "chain")
    replay(folder, databases.url(tmp_path / "dex.db"), venue=rules_venue, until=5, batch=2)
    database = open_writer(databases.url(tmp_path / "dex.db"))
    make_read_indexes(database)
    replay(folder, databases.url(tmp_path / "dex.db"), venue=rules_venue, batch=7)
    kept = dump(database)
    assert rebuilt(database) == kept


def test_a_rebuild_of_damaged_history_changes_nothing(tmp_path: Path) -> None:
    """It names the table whose rows contradict the history."""
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


def test_readers_see_no_partial_rebuild(tmp_path: Path) -> None:
    """They see the old rows until the commit."""
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
