"""Projector: journal entries → rows, a batch per transaction with journal and cursor.

It is the only writer of the exchange's tables, and it keeps its own ledger while it projects. Two bookkeepers
must agree: after every batch its totals per token are compared with the state machine's, and the whole state
where the batch has a state hash. That hash is kept, and a start at its block compares the rows with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect, select

from settlement.core.accounts import ESCROW
from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.state import InvariantError, State
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.dialect import gather_statistics, lock_migrations, tuned_for_indexing
from settlement.store.indexes import READ_INDEXES
from settlement.store.write.change_set import write_change_set
from settlement.store.write.collector import paused_collector
from settlement.store.write.ledger.apply import apply_entry, pass_block
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.load_rows import check_state_hash, load_ledger
from settlement.store.write.ledger.state_text import state_hash
from settlement.store.write.rows import BatchRows
from settlement.store.write.statements import Row, Statement, compile_statements, run

_POSITION = select(schema.cursor.c.block, schema.cursor.c.journal_hash)


class Totals(NamedTuple):
    """What the state machine says of a token, to compare with."""

    liabilities: int  # units
    holdings: int  # units


class Batch(NamedTuple):
    """Blocks to project, in order. Everything is plain data, so that a batch can go to another process."""

    entries: Sequence[lines.JournalEntry]  # blocks with lines
    receipts: Sequence[
        tuple[int, str]
    ]  # number of the Hive block, canonical JSON of the receipts that counted
    end: BlockHeader  # the last block of the batch, with or without lines
    totals: Mapping[str, Totals]  # by symbol, at the end of the batch
    state_hash: str | None = None  # at the end of the batch, where the whole state is to be compared
    live: bool = (
        False  # while following the chain: at most one entry, whose change set is kept for the stream
    )
    escrow_operations: Sequence[Row] = ()  # rows of that table


def totals_of(state: State) -> dict[str, Totals]:
    """The totals of the state machine, by symbol."""
    return {symbol: Totals(token.liabilities_units, token.holdings) for symbol, token in state.tokens.items()}


class Origin(NamedTuple):
    """Columns of the cursor that never change."""

    venue_hash: str
    venue_text: str
    state_block: int | None  # block of the state text from which the replica started


class Projector:
    """Writes batches into one database. After any error it must be discarded."""

    def __init__(self, engine: Engine) -> None:
        """Raises StoreError if the database has no venue, or its rows are not those of its state hash."""
        self._engine = engine
        self._statements = compile_statements(engine)
        with engine.connect() as connection:
            self.ledger = load_ledger(connection)
            check_state_hash(connection, self.ledger)
            cursor = connection.execute(select(schema.cursor)).one()
        self._origin = Origin(cursor.venue_hash, cursor.venue_text, cursor.state_block)
        self._position = (cursor.block, cursor.journal_hash)

    def project(self, batch: Batch) -> None:
        """Commit a batch and move the cursor to its end.

        Writes nothing and raises StoreError if another process has moved the cursor, InvariantError if the
        journal or the ledgers do not agree.
        """
        with paused_collector():
            self._project(batch)

    def _project(self, batch: Batch) -> None:
        ledger = self.ledger
        if batch.live:
            ledger.track_levels()
        rows, facts = BatchRows(ledger), None
        for entry in batch.entries:
            facts = apply_entry(ledger, entry)
            rows.add_block(entry, facts)
        if ledger.header is None or ledger.header.number != batch.end.number:
            pass_block(ledger, batch.end)
        self._compare(batch)
        written = rows.finish()
        written["receipts"] += batch.receipts
        written["escrow_operations"] += batch.escrow_operations
        written["cursor"] = [cursor_row(ledger, self._origin, batch.end)]
        if batch.state_hash is not None:
            written["state_check"] = [state_check_row(batch.end, batch.state_hash)]
        with self._engine.begin() as connection:
            check_position(connection, self._position)
            write_rows(connection, self._statements, written)
            if batch.live and facts is not None:
                write_change_set(connection, ledger, facts, ledger.last["blocks"], self._position[1])
        self._position = (batch.end.number, ledger.journal_hash)

    def _compare(self, batch: Batch) -> None:
        """The projector's ledger against the state machine's, at the end of a batch."""
        for symbol, expected in batch.totals.items():
            token = self.ledger.tokens.get(symbol)
            ours = None if token is None else Totals(-token.totals[ESCROW], token.holdings)
            if ours != expected or (token is not None and sum(token.totals) != 0):
                raise InvariantError(f"{symbol}: the projector has {ours}, the rules have {expected}")
        if batch.state_hash is not None:
            self.check_state(batch.state_hash)

    def check_state(self, expected: str) -> None:
        """Compare the whole state. Raises InvariantError."""
        ours = state_hash(self.ledger)
        if ours != expected:
            raise InvariantError(f"the projector's state hash is {ours}, the rules' is {expected}")


def state_check_row(end: BlockHeader, state_hash: str) -> Row:
    """The row of `state_check` after a block."""
    return (1, end.number, state_hash)


def cursor_row(ledger: Ledger, origin: Origin, end: BlockHeader) -> Row:
    """The row of `cursor` after a block; before the first block its id is empty."""
    rules = ledger.rules
    assert rules is not None
    return (
        1,
        origin.venue_hash,
        origin.venue_text,
        *(end.number, end.block_id or None, end.timestamp),
        ledger.journal_hash,
        ledger.last_seq,
        ledger.last_trade,
        ledger.last.get("blocks", 0),
        rules.max_open_orders,
        rules.fee_account,
        origin.state_block,
    )


def write_rows(
    connection: Connection, statements: Mapping[str, Statement], rows: Mapping[str, Sequence[Row]]
) -> None:
    """Execute each statement for its rows."""
    for name, statement in statements.items():
        run(connection, statement, rows.get(name, ()))


def check_position(connection: Connection, expected: tuple[int, str] | None) -> None:
    """Detect a second writer: the cursor must be where this projector left it."""
    row = connection.execute(_POSITION.with_for_update()).one_or_none()
    if (None if row is None else (row.block, row.journal_hash)) != expected:
        raise StoreError("another process is writing to this database: run one indexer per database")


def make_read_indexes(engine: Engine) -> None:
    """Create the missing secondary indexes; called once catching up is done.

    Each in its own transaction, so that a stopped process resumes where it was. Several processes may do it
    at once: the lock comes before the decision that an index is missing.
    """
    existing = inspect(engine).get_multi_indexes().values()
    names = {index["name"] for indexes in existing for index in indexes}
    for index in READ_INDEXES:
        if index.name not in names:
            with engine.begin() as connection, tuned_for_indexing(connection):
                lock_migrations(connection)
                index.create(connection, checkfirst=True)
    with engine.begin() as connection:
        lock_migrations(connection)
        gather_statistics(connection)
