"""`db rebuild` makes the rows that the projector wrote out of the journal alone; `db check` finds what differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import delete, select

from settlement.store import schema
from settlement.store.database import StoreError, open_reader, open_writer
from settlement.store.write.projector import make_read_indexes
from settlement.store.write.rebuild import PROJECTED, HistoryError, check, rebuild
from tests.support import databases
from tests.system.store.chains import dump, lively, replay
from tests.system.store.random_chains import projected
from tests.system.store.short_chain import short_chain, venue


def checked(database: Database) -> None:
    with database.connect() as connection:
        check(connection)


@pytest.mark.parametrize("seed", range(8))
def test_rebuilt_rows_equal_the_projected_ones(seed: int) -> None:
    """Whatever the batch size and the restarts."""
    kept = [dump(projected(seed, *size)[1]) for size in ((1, 5), (7, 2), (1000, 1))]
    assert kept[0] == kept[1] == kept[2]
    _, database = projected(seed, 3, 4)
    assert dump(database) == kept[0]
    checked(database)
    with database.begin() as connection:
        for table in PROJECTED:
            connection.execute(delete(table))
    counts = rebuild(database)
    assert dump(database) == kept[0]
    assert counts == {table.name: len(kept[0][table.name]) for table in PROJECTED}
    checked(database)


def test_random_chains_write_every_projected_table() -> None:
    """Except `left_over`, which takes a thousand stops."""
    dumps = [dump(projected(seed, 1000)[1]) for seed in range(8)]
    assert [table.name for table in PROJECTED if not any(rows[table.name] for rows in dumps)] == ["left_over"]


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
    checked(database)
    rebuild(database)
    assert dump(database) == kept


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "UPDATE balances SET available = available + CASE account_id WHEN 1 THEN 1 ELSE -1 END "
            "WHERE account_id IN (1, 2) AND token_id = 1",
            r"the rows say `balance .*`, the journal `balance .*`: run `peakedex db rebuild`",
        ),
        (
            "UPDATE orders SET received = received + 1 WHERE status = 0",
            r"the rows say `order .*`, the journal `order",
        ),
        ("UPDATE holdings SET units = '17'", r"the rows say `escrow .* 17`, the journal `escrow "),
        ("UPDATE grants SET band_bps = band_bps + 1", r"the rows say `grant .*`, the journal `grant "),
        (
            "DELETE FROM transfers WHERE n > 5",
            r"the last of transfers is 5, by the journal \d+: run `peakedex db rebuild`",
        ),
        ("UPDATE blocks SET timestamp = 0 WHERE n = 3", r"the journal's hash chain breaks at block \d+"),
        ("DELETE FROM blocks WHERE n = 3", r"the journal's hash chain breaks at block \d+"),
    ],
)
def test_a_check_names_what_a_rebuild_then_makes_right(statement: str, what: str) -> None:
    _, database = projected(2, 7)
    kept = dump(database)
    with database.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
    with pytest.raises(StoreError, match=f"^{what}"):
        checked(database)
    rebuild(database)
    assert dump(database) == kept
    checked(database)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "UPDATE journal SET lines = replace(lines, 'buy', 'sell')",
            "the journal is damaged|the journal ends with hash",
        ),
        ("DELETE FROM journal WHERE block = (SELECT max(block) FROM journal)", "the journal ends with hash"),
        ("UPDATE journal SET lines = 'hello'", r"the journal of block \d+ is damaged"),
        (
            "UPDATE journal SET block = block + 1 WHERE block = (SELECT max(block) FROM journal)",
            "are of another block",
        ),
    ],
)
def test_a_rebuild_out_of_a_damaged_journal_changes_nothing(statement: str, what: str) -> None:
    _, database = projected(2, 7)
    with database.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
    before = dump(database)
    with pytest.raises(HistoryError, match=f"{what}.*replay the chain into a new database"):
        rebuild(database)
    assert dump(database) == before
    with pytest.raises(HistoryError):
        checked(database)


def test_readers_see_no_partial_rebuild(tmp_path: Path) -> None:
    """They see the old rows until the commit."""
    folder = lively().write(tmp_path / "chain")
    _, database = replay(folder, databases.url(tmp_path / "dex.db"))
    kept = dump(database)
    reader = open_reader(databases.url(tmp_path / "dex.db"))
    seen = []

    def look(_: int) -> None:
        with reader.connect() as connection:
            seen.append(len(connection.execute(select(schema.balance_changes)).all()))

    rebuild(database, look)
    assert seen == [len(kept["balance_changes"])] * len(seen)
    assert seen
    reader.dispose()


def test_an_empty_database_is_reported() -> None:
    database = open_writer(databases.fresh())
    with pytest.raises(StoreError, match="the database is empty"):
        rebuild(database)
    with pytest.raises(StoreError, match="the database is empty"):
        checked(database)
