"""The short chain does what its comments say, and every statement of the recorder."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from settlement.store.database import open_writer
from settlement.store.write import projector as recorder_module
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.statements import Row, Statement, compile_statements, run
from tests.support import databases
from tests.system.store.brief import brief, venue
from tests.system.store.chains import JOURNAL_KINDS, journal, kinds, read_on


def test_the_short_chain_uses_every_statement_and_every_kind_of_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_writer(databases.fresh())
    seen: set[str] = set()

    def noting(connection: Connection, statement: Statement, rows: list[Row]) -> None:
        run(connection, statement, rows)
        if rows:
            seen.add(statement.sql)

    monkeypatch.setattr(recorder_module, "run", noting)
    rules, recorder = load_or_initialise(database, venue())
    read_on(rules, recorder, brief().write(tmp_path), batch_blocks=2)
    statements = compile_statements(database)
    assert [name for name, each in statements.items() if each.sql not in seen] == []
    found = kinds(journal(database))
    assert [kind for kind in JOURNAL_KINDS if not found[kind]] == []
    refused = [line.split()[2:] for line in journal(database).splitlines() if line.startswith("reject")]
    assert refused == [["carol", "withdraw", "E_FUNDS"], ["eve", "sell", "E_AUTH"]]
