"""The short chain uses every statement of the projector and every kind of journal line."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event

from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.statements import compile_statements
from tests.system.store.chains import JOURNAL_KINDS, journal, kinds, read_on
from tests.system.store.short_chain import short_chain, venue


def test_the_short_chain_uses_every_statement_and_every_kind_of_line(tmp_path: Path) -> None:
    """But for those that test_left_over, test_escrow and test_projector cover: stops by the thousand, operations that
    the protocol does not read, comparisons of the whole state."""
    database = open_writer("sqlite://")
    seen: set[str] = set()
    event.listen(database, "after_cursor_execute", lambda _, __, sql, *___: seen.add(sql))
    rules, projector = load_or_initialise(database, venue())
    read_on(rules, projector, short_chain().write(tmp_path), batch_blocks=2)
    statements = compile_statements(database)
    unused = {name for name, each in statements.items() if each.sql not in seen}
    assert unused == {"left_over", "escrow_operations", "state_check"}
    found = kinds(journal(database))
    assert [kind for kind in JOURNAL_KINDS if not found[kind]] == []
    rejected = [line.split()[2:] for line in journal(database).splitlines() if line.startswith("reject")]
    assert rejected == [["carol", "withdraw", "-", "E_FUNDS"], ["eve", "sell", "-", "E_AUTH"]]
