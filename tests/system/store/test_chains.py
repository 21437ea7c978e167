"""The chain that other tests of this folder replay contains every kind of event."""

from __future__ import annotations

from pathlib import Path

from settlement.core.codes import Code
from settlement.store.write.statements import compile_statements
from tests.system.store.chains import JOURNAL_KINDS, dump, journal, kinds, lively, replay


def test_every_kind_of_event_happens(tmp_path: Path) -> None:
    """Every kind of journal line and every table; if the generator changed, choose another seed or length."""
    _, database = replay(lively().write(tmp_path))
    text = journal(database)
    found = kinds(text)
    assert {kind: found[kind] for kind in JOURNAL_KINDS if not found[kind]} == {}
    tables = dump(database)
    # They have tests of their own: a pair is left over only after a thousand stops.
    assert {name for name, rows in tables.items() if not rows} == {"left_over", "escrow_operations"}
    assert set(tables) == {
        name.removesuffix("_progress").removesuffix("_returning") for name in compile_statements(database)
    } - {"state_check"}
    claims = {row[9:11] for row in tables["refunds"] if row[9]}
    assert claims, "no refund was paid"
    closes = {line.split()[2] for line in text.splitlines() if line.startswith("close ")}
    assert closes == {"filled", "cancelled", "expired", "triggered"}
    codes = {line.split()[4] for line in text.splitlines() if line.startswith("reject ")}
    assert len(codes) >= len(Code) - 3, f"only {sorted(codes)} were met"
