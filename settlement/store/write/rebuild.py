"""Projects the stored journal again: `peakedex db check` compares the rows, `db rebuild` replaces them.

Everything but the journal, the receipts, the operations on escrow accounts, the cursor's block and the tables
of single processes is a projection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, delete, func, select

from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.journal.codec import LineError
from settlement.core.state import InvariantError
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.write.collector import paused_collector
from settlement.store.write.initialise import initial_ledger, initial_rows
from settlement.store.write.ledger.apply import apply_entry, pass_block
from settlement.store.write.ledger.ledger import COUNTED, Ledger
from settlement.store.write.ledger.load_rows import load_ledger
from settlement.store.write.ledger.state_text import state_hash, state_text
from settlement.store.write.loader import read_venue
from settlement.store.write.projector import Batch, Origin, Projector, cursor_row, write_rows
from settlement.store.write.rows import BatchRows, rule_rows, total_row
from settlement.store.write.statements import Row, compile_statements

_KEPT: Final = (
    *(schema.cursor, schema.journal, schema.receipts, schema.change_sets),
    *(schema.escrow_operations, schema.escrow_balances),
    *(schema.state_check, schema.indexer_status, schema.lease),
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


def check(
    connection: Connection,
    on_blocks: Callable[[int], object] = lambda _: None,
    projector: Projector | None = None,
) -> None:
    """Compare the rows with the whole journal.

    The hash chain is computed anew and compared with the rows of the blocks, and the state that the journal
    adds up to with the state of the rows; of a database whose history begins with a state text only the
    chain. `on_blocks` gets the number of further blocks done. A projector of an empty database with the same
    venue gets the whole journal. Raises HistoryError, naming the first difference.
    """
    kept = _Kept(connection)
    first = kept.first_block(connection)
    ledger = None
    if first is None:
        ledger = initial_ledger(read_venue(connection))[0] if projector is None else projector.ledger
    journal_hash = kept.row.venue_hash if first is None else first.journal_hash
    count = 0 if first is None else 1
    with paused_collector():
        for entries in _stored_entries(connection, journal_hash, after=-1 if first is None else first.number):
            _check_blocks(connection, entries, count)
            count += len(entries)
            journal_hash = entries[-1].hash
            if projector is not None:
                _project(projector, entries)
            elif ledger is not None:
                for entry in entries:
                    _apply(ledger, entry)
            on_blocks(len(entries))
        blocks = connection.scalar(_count(schema.blocks))
        if not blocks == kept.row.last_block_n == count:
            raise HistoryError(f"the journal has {count} blocks, the table of blocks {blocks}: {_CURE}")
        kept.check_journal_hash(journal_hash)
        found = load_ledger(connection)
        if projector is None:  # else whoever gave it compares all rows
            _check_rules(connection, found)
        if ledger is not None:
            kept.check_state(ledger)
            _compare(ledger, found)


def _check_blocks(connection: Connection, entries: Sequence[lines.JournalEntry], count: int) -> None:
    b = schema.blocks.c
    between = b.number.between(entries[0].header.number, entries[-1].header.number)
    query = select(b.number, b.block_id, b.timestamp, b.journal_hash, b.n).where(between).order_by(b.number)
    expected = [(*entry.header, entry.hash, n) for n, entry in enumerate(entries, count + 1)]
    for row, wanted in zip_longest(map(tuple, connection.execute(query)), expected):
        if row != wanted:
            number = (wanted or row or (0,))[0]
            raise HistoryError(f"the journal's hash chain breaks at block {number}: {_CURE}")


def _check_rules(connection: Connection, ledger: Ledger) -> None:
    """Rows of tokens, pairs and totals, which only readers use."""
    rules = rule_rows(ledger)
    expected: dict[Table, list[Row]] = {
        schema.tokens: rules["tokens"],
        schema.pairs: rules["pairs"],
        schema.totals: [total_row(token) for token in ledger.tokens.values()],
    }
    for table, rows in expected.items():
        stored = {tuple(row) for row in connection.execute(select(table))}
        wrong = stored.symmetric_difference(rows)
        if any(any(row[1:]) or table is not schema.totals for row in wrong):
            raise HistoryError(f"the rows of {table.name} differ from the journal: run `peakedex db rebuild`")


def _compare(ledger: Ledger, found: Ledger) -> None:
    """The ledger of the journal and that of the rows."""
    for expected, row in zip_longest(state_text(ledger).split("\n"), state_text(found).split("\n")):
        if expected != row:
            raise HistoryError(f"the rows say `{row}`, the journal `{expected}`: run `peakedex db rebuild`")
    numbers = {"transfers": (found.last_transfer, ledger.last_transfer)}
    numbers |= {table: (found.last[table], ledger.last.get(table, 0)) for table in COUNTED}
    for table, (number, wanted) in numbers.items():
        if number != wanted:
            raise HistoryError(
                f"the last of {table} is {number}, by the journal {wanted}: run `peakedex db rebuild`"
            )


def rebuild(engine: Engine, on_blocks: Callable[[int], object] = lambda _: None) -> Mapping[str, int]:
    """Project the stored journal again, in one transaction; returns the number of rows by table.

    The caller holds the lease: no indexer may write meanwhile. Raises HistoryError, and changes nothing, if
    the journal does not end where the cursor stands.
    """
    statements = compile_statements(engine)
    with engine.begin() as connection, paused_collector():
        kept, venue = _Kept(connection), read_venue(connection)
        if kept.row.state_block is not None:
            raise HistoryError(
                f"the history begins with the state text of block {kept.row.state_block}: start again with "
                "`peakedex follow --from-state`"
            )
        for table in (*PROJECTED, schema.change_sets):  # change sets hold rows of before
            connection.execute(delete(table))
        write_rows(connection, statements, initial_rows(venue))
        ledger, _ = initial_ledger(venue)
        for entries in _stored_entries(connection, venue.hash, after=-1):
            rows = BatchRows(ledger)
            for entry in entries:
                rows.add_block(entry, _apply(ledger, entry))
            written = rows.finish()
            del written["journal"]
            write_rows(connection, statements, written)
            on_blocks(len(entries))
        kept.check_journal_hash(ledger.journal_hash)
        kept.check_state(ledger)
        origin = Origin(venue.hash, venue.text, None)
        cursor = cursor_row(ledger, origin, kept.end)
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
        c = schema.state_check.c
        self.row = row
        self.state_hash = connection.scalar(select(c.state_hash).where(c.block == row.block))
        self.end = BlockHeader(row.block, row.block_id or "", row.timestamp)

    def first_block(self, connection: Connection) -> Any:
        """The row of the block whose state text the history begins with; None for a complete history."""
        if self.row.state_block is None:
            return None
        b = schema.blocks.c
        row = connection.execute(select(b.number, b.journal_hash).where(b.n == 1)).one_or_none()
        if row is None or row.number != self.row.state_block:
            raise HistoryError(f"the first block of the history, {self.row.state_block}, is missing: {_CURE}")
        return row

    def check_journal_hash(self, found: str) -> None:
        """Raise HistoryError unless the journal ends with the cursor's hash."""
        if found != self.row.journal_hash:
            raise HistoryError(f"the journal ends with hash {found}, not {self.row.journal_hash}: {_CURE}")

    def check_state(self, ledger: Ledger) -> None:
        """Move the ledger to the cursor's block, and compare it with that block's state hash if there is one.

        Raises HistoryError.
        """
        if self.row.block_id is not None and ledger.header != self.end:
            pass_block(ledger, self.end)
        if self.state_hash is not None and state_hash(ledger) != self.state_hash:
            raise HistoryError(f"the journal does not give the state hash {self.state_hash}: {_CURE}")


def _stored_entries(
    connection: Connection, journal_hash: str, after: int
) -> Iterator[list[lines.JournalEntry]]:
    """The stored journal after a block, some blocks at a time, with hashes that continue `journal_hash`."""
    j = schema.journal.c
    query = select(j.block, j.lines).order_by(j.block).limit(_BLOCKS)
    while stored := connection.execute(query.where(j.block > after)).all():
        entries = []
        for number, text in stored:
            journal_hash = lines.chain_hash(journal_hash, text)
            try:
                header = lines.block_header(text)
            except LineError as error:
                raise HistoryError(f"the journal of block {number} is damaged ({error}): {_CURE}") from None
            if header.number != number:
                raise HistoryError(f"the journal lines of block {number} are of another block: {_CURE}")
            entries.append(lines.JournalEntry(header, text, journal_hash))
        yield entries
        after = stored[-1].block


def _apply(ledger: Ledger, entry: lines.JournalEntry) -> Any:
    with _damage_named():
        return apply_entry(ledger, entry)


def _project(projector: Projector, entries: Sequence[lines.JournalEntry]) -> None:
    with _damage_named():
        projector.project(Batch(entries, receipts=(), end=entries[-1].header, totals={}))


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except InvariantError as error:
        raise HistoryError(f"the journal is damaged: {error}; {_CURE}") from error
