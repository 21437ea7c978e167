"""The short chain does what its comments say, and every statement of the recorder."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event

from settlement.store.database import open_writer
from settlement.store.loader import open_engine
from settlement.store.statements import compile_statements
from tests.store.brief import brief, venue
from tests.store.chains import JOURNAL_KINDS, journal, kinds, read_on


def test_the_short_chain_uses_every_statement_and_every_kind_of_line(tmp_path: Path) -> None:
    database = open_writer("sqlite://")
    seen: set[str] = set()
    event.listen(database, "before_cursor_execute", lambda *words: seen.add(words[2]))
    rules, recorder = open_engine(database, venue())
    read_on(rules, recorder, brief().write(tmp_path), batch_blocks=2)
    statements = compile_statements(database)
    assert [name for name, sql in statements.items() if sql not in seen] == []
    found = kinds(journal(database))
    assert [kind for kind in JOURNAL_KINDS if not found[kind]] == []
    refused = [line.split()[2:] for line in journal(database).splitlines() if line.startswith("reject")]
    assert refused == [["carol", "withdraw", "E_FUNDS"], ["eve", "sell", "E_AUTH"]]
