"""Old history on cheaper disks: docs/operator.md's commands, given to psql while everything goes on."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from settlement.core.journal.state_text import state_text
from settlement.store import schema
from settlement.store.database import open_reader, open_writer
from settlement.store.partitions import WIDTHS
from settlement.store.write.loader import open_engine
from settlement.store.write.projector import make_read_indexes
from tests.support.postgres import Server, execute, run_program, with_partitions
from tests.system.store.chains import demo, dump, lively, read_on, replay

GUIDE = (Path(__file__).parents[3] / "docs" / "operator.md").read_text("utf-8")
SECTION = GUIDE.partition("### Old history on cheaper disks")[2].partition("\n## ")[0]
WIDEN, LIST, AGE, PLACE, MOVE = re.findall(r"^```sql\n(.*?)^```$", SECTION, re.M | re.S)
LIES_THERE = """SELECT relname FROM pg_class JOIN pg_tablespace place ON place.oid = reltablespace
WHERE spcname = 'slow' AND relname NOT LIKE 'pg_toast%' ORDER BY relname"""


@pytest.fixture
def server() -> Iterator[Server]:
    """Of our own, whatever server the tests are given: a folder of it is the cheaper disk."""
    server = Server()
    server.create()
    server.start()
    yield server
    server.stop()


def psql(server: Server, commands: str) -> str:
    """What the guide's commands print, given as it says."""
    script = server.folder / "script.sql"
    script.write_text(commands, "utf-8")
    output = server.folder / "output"
    output.touch(mode=0o666)
    output.chmod(0o666)
    run_program(
        "psql", server.url("dex"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", script, "-o", output
    )
    return output.read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lively().write(tmp_path / "chain")


@pytest.fixture
def url(server: Server) -> str:
    """A database with a cheaper disk beside it."""
    execute(server.url("postgres"), "CREATE DATABASE dex")
    place = server.folder / "slow"
    place.mkdir()
    owner = server.data.stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    psql(server, PLACE.replace("/mnt/slow/peakedex", str(place)))
    return with_partitions(server.url("dex"), 100, 16)


def test_old_partitions_move_while_the_venue_goes_on(server: Server, url: str, folder: Path) -> None:
    """The indexer records, and a reader who came before sees all of it at the end."""
    whole, whole_database = replay(folder, "sqlite://")
    _, database = replay(folder, url, until=60)
    make_read_indexes(database)
    rules, recorder = open_engine(database, demo())
    reader = open_reader(url)
    counts = [select(func.count()).select_from(table) for table in (schema.transfers, schema.journal)]
    with database.connect() as connection:
        expected = [connection.scalar(count) for count in counts]
    indexer = threading.Thread(target=read_on, args=(rules, recorder, folder), kwargs={"batch_blocks": 2})
    with reader.connect() as connection:
        connection.scalar(select(schema.cursor.c.block))  # from now on it sees this moment
        indexer.start()
        for partition in ("transfers_0", "transfers_100", "journal_0"):
            psql(server, MOVE.replace("transfers_0", partition))
        indexer.join()
        assert [connection.scalar(count) for count in counts] == expected
    assert state_text(rules.state) == state_text(whole.state)
    assert dump(database) == dump(whole_database)
    moved = {name for (name,) in execute(url, LIES_THERE)}
    assert {name for name in moved if not name.endswith(("_idx", "_pkey"))} == {
        *("transfers_0", "transfers_100", "journal_0")
    }
    assert {"transfers_0_pkey", "transfers_0_debit_id_n_idx", "journal_0_pkey"} <= moved
    open_writer(url).dispose()  # the schema is still taken for what it is
    for engine in (database, reader, whole_database):
        engine.dispose()


def test_a_move_gives_up_where_somebody_is_reading(server: Server, url: str, folder: Path) -> None:
    replay(folder, url, until=20)[1].dispose()
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM transfers")
        with pytest.raises(AssertionError, match="canceling statement due to lock timeout"):
            psql(server, MOVE.replace("2s", "20ms"))
    assert execute(url, LIES_THERE) == []


def test_the_guide_s_lists(server: Server, url: str, folder: Path) -> None:
    rules, database = replay(folder, url, until=60)
    database.dispose()
    psql(server, MOVE)
    rows = [line.split("|") for line in psql(server, LIST).splitlines()]
    first = next(row for row in rows if row[1] == "transfers_0")
    assert first[2] == "0"
    assert first[5] == "slow"
    assert {row[5] for row in rows if row != first} == {"the default"}
    blocks = [row[1] for row in rows if row[0] == "journal"]
    assert blocks == [f"journal_{n}" for n in range(0, rules.next_block(), 16)]
    block, _, time = psql(server, AGE).strip().partition("|")
    assert execute(url, "SELECT max(block) FROM transfers WHERE n < 100") == [(int(block),)]
    assert time.endswith("+00")
    psql(server, WIDEN.replace("DATABASE peakedex", "DATABASE dex"))
    assert execute(server.url("dex"), "SHOW peakedex.partition_rows") == [("4194304",)]


def test_what_a_partition_holds_is_in_the_guide() -> None:
    for setting, width in WIDTHS.items():
        assert f"{width:,} " in next(row for row in SECTION.splitlines() if f"`{setting}`" in row)
