"""Old history on cheaper disks: docs/operator.md's commands, given in the middle of a recording."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from settlement.statetext import state_text
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.loader import open_engine
from settlement.store.recorder import make_read_indexes
from tests.postgres import Server, execute
from tests.store.chains import demo, dump, lively, read_on, replay

GUIDE = (Path(__file__).parents[2] / "docs" / "operator.md").read_text("utf-8")
PLACE = "'/mnt/slow/peakedex'"


@pytest.fixture
def server() -> Iterator[Server]:
    """Of our own, whatever server the tests are given: a folder of it is the cheaper disk."""
    server = Server()
    server.create()
    server.start()
    yield server
    server.stop()


def test_tables_move_while_the_venue_goes_on(server: Server, tmp_path: Path) -> None:
    folder = lively().write(tmp_path / "chain")
    whole, whole_database = replay(folder, "sqlite://")
    execute(server.url("postgres"), "CREATE DATABASE dex")
    url = server.url("dex")
    _, database = replay(folder, url, until=60)
    make_read_indexes(database)
    place = server.folder / "slow"
    place.mkdir()
    owner = server.data.stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    (commands,) = re.findall(r"^```sql\n(CREATE TABLESPACE .*?)^```$", GUIDE, re.M | re.S)
    execute(url, *(commands.replace(PLACE, f"'{place}'").split(";\n")[:-1]))
    rules, recorder = open_engine(database, demo())
    read_on(rules, recorder, folder)
    assert state_text(rules.state) == state_text(whole.state)
    assert dump(database) == dump(whole_database)
    there = "JOIN pg_tablespace t ON t.oid = reltablespace WHERE spcname = 'slow'"
    moved = execute(url, f"SELECT relname FROM pg_class {there}")
    tables = {name for (name,) in moved} & set(schema.metadata.tables)
    assert tables == {"transfers", "balance_changes", "journal"}
    database.dispose()
    open_writer(url).dispose()  # the schema is still taken for what it is
