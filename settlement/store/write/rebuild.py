"""Projects the stored journal again: `peakedex db check` compares the rows, `db rebuild` replaces them.

Everything but the journal, the receipts, the cursor's block and the tables of single processes is a
projection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select

from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.journal.codec import LineError
from settlement.core.state import InvariantError
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.write.collector import paused_collector
from settlement.store.write.initialise import initial_ledger, initial_rows
from settlement.store.write.ledger.apply import apply_entry, pass_block
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.load_rows import load_ledger
from settlement.store.write.ledger.state_text import state_hash, state_text
from settlement.store.write.loader import read_venue
from settlement.store.write.projector import Origin, cursor_row, write_rows
from settlement.store.write.rows import BatchRows
from settlement.store.write.statements import compile_statements

_KEPT: Final = (
    *(schema.cursor, schema.journal, schema.receipts, schema.change_sets),
    *(schema.indexer_status, schema.lease),
)
PROJECTED: Final = tuple(
    table
    for table in schema.metadata.sorted_tables
    if table not in _KEPT and not table.name.startswith("payout_")
)
"""Tables that the journal determines."""
_BLOCKS: Final = 1_000
"""Blocks with lines that are read and projected at a time."""
_CURE: Final = "restore a backup, or replay the chain into a new database"


class HistoryError(StoreError):
    """The journal is damaged, or the rows are not those of the journal."""


def check(connection: Connection, on_blocks: Callable[[int], object] = lambda _: None) -> None:
    """Compare the rows that hold the current state with a ledger made of the whole journal.

    `on_blocks` gets the number of further blocks done. Raises HistoryError, naming the first line of the
    state that differs.
    """
    kept = _Kept(connection)
    with paused_collector():
        ledger, _ = initial_ledger(read_venue(connection))
        for entries in _entries(connection, ledger):
            for entry in entries:
                _apply(ledger, entry)
            on_blocks(len(entries))
        kept.check_end(ledger)
        found = load_ledger(connection)
    for expected, row in zip_longest(state_text(ledger).split("\n"), state_text(found).split("\n")):
        if expected != row:
            raise HistoryError(
                f"the rows say `{row}`, the journal `{expected}`: run `peakedex db rebuild`, or {_CURE}"
            )
    for table, number in found.last.items():
        if number != ledger.last.get(table, number):
            raise HistoryError(
                f"the last of {table} is {number}, by the journal {ledger.last[table]}: run `db rebuild`"
            )


def rebuild(engine: Engine, on_blocks: Callable[[int], object] = lambda _: None) -> Mapping[str, int]:
    """Project the stored journal again, in one transaction; returns the number of rows by table.

    The caller holds the lease: no indexer may write meanwhile. Raises HistoryError, and changes nothing, if
    the journal does not end where the cursor stands.
    """
    statements = compile_statements(engine)
    with engine.begin() as connection, paused_collector():
        kept, venue = _Kept(connection), read_venue(connection)
        for table in PROJECTED:
            connection.execute(delete(table))
        write_rows(connection, statements, initial_rows(venue))
        ledger, _ = initial_ledger(venue)
        for entries in _entries(connection, ledger):
            rows = BatchRows(ledger)
            for entry in entries:
                rows.add_block(entry, _apply(ledger, entry))
            written = rows.finish()
            del written["journal"]
            write_rows(connection, statements, written)
            on_blocks(len(entries))
        kept.check_end(ledger)
        origin = Origin(venue.hash, venue.text, None)
        cursor = cursor_row(ledger, origin, kept.end, kept.row.state_hash)
        write_rows(connection, statements, {"cursor": [cursor]})
        return {table.name: connection.scalar(_count(table)) or 0 for table in PROJECTED}


def _count(table: Any) -> Any:
    return select(func.count()).select_from(table)


class _Kept:
    """The cursor before the journal is projected again."""

    def __init__(self, connection: Connection) -> None:
        row = connection.execute(select(schema.cursor)).one_or_none()
        if row is None:
            raise StoreError("the database is empty: `peakedex follow` or `replay` fills it")
        if row.state_block is not None:
            raise HistoryError(
                f"the history begins with the state text of block {row.state_block}: the rows cannot be made "
                "of the journal alone; start again with `peakedex follow --from-state`"
            )
        self.row = row
        self.end = BlockHeader(row.block, row.block_id or "", row.timestamp)

    def check_end(self, ledger: Ledger) -> None:
        """Raise HistoryError unless the ledger ends where the cursor stands."""
        if ledger.journal_hash != self.row.journal_hash:
            raise HistoryError(
                f"the journal ends with hash {ledger.journal_hash}, not {self.row.journal_hash}: {_CURE}"
            )
        if self.row.block_id is not None and (ledger.header is None or ledger.header != self.end):
            pass_block(ledger, self.end)
        expected = self.row.state_hash
        if expected is not None and state_hash(ledger) != expected:
            raise HistoryError(f"the journal does not give the state hash {expected} of the cursor: {_CURE}")


def _entries(connection: Connection, ledger: Ledger) -> Iterator[list[lines.JournalEntry]]:
    """The stored journal, some blocks at a time; its hash chain continues the ledger's."""
    j = schema.journal.c
    query = select(j.block, j.lines).order_by(j.block).limit(_BLOCKS)
    after = -1
    while stored := connection.execute(query.where(j.block > after)).all():
        journal_hash, entries = ledger.journal_hash, []
        for after, text in stored:
            journal_hash = lines.chain_hash(journal_hash, text)
            try:
                header = lines.block_header(text)
            except LineError as error:
                raise HistoryError(f"the journal of block {after} is damaged ({error}): {_CURE}") from None
            entries.append(lines.JournalEntry(header, text, journal_hash))
        yield entries


def _apply(ledger: Ledger, entry: lines.JournalEntry) -> Any:
    try:
        return apply_entry(ledger, entry)
    except InvariantError as error:
        raise HistoryError(f"the journal is damaged: {error}; {_CURE}") from error
