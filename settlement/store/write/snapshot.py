"""Snapshots: the database as portable rows, and the verification of rows that were copied from elsewhere.

A snapshot leaves out what belongs to one machine (leases, the indexer's status, real balances, change sets);
the payout tables are optional. `indexer.ops.backup` defines the file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, literal, select

from settlement.core.journal.state_text import state_hash
from settlement.core.state import InvariantError
from settlement.core.state_machine import StateMachine
from settlement.store import payout_schema, schema
from settlement.store.database import StoreError
from settlement.store.dialect import gather_statistics, tuned_for_indexing
from settlement.store.indexes import READ_INDEXES
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import read_active_block
from settlement.store.write.loader import load_from
from settlement.store.write.rebuild import HistoryError, check
from settlement.store.write.statements import compile_inserts, run

_LOCAL: Final = (
    *(schema.indexer_status, schema.lease, schema.change_sets, schema.state_check),
    schema.escrow_balances,
    payout_schema.lease,
)
_TABLES: Final = tuple(table for table in schema.metadata.sorted_tables if table not in _LOCAL)
PAYOUT_TABLES: Final = tuple(table for table in _TABLES if table.name.startswith("payout_"))
"""The operator's own records of payouts."""
STATE_TABLES: Final = tuple(table for table in _TABLES if table not in PAYOUT_TABLES)
"""The exchange: the same rows on every node at the same block."""
_FETCH_ROWS: Final = 500  # rows of the journal can be long
# What loading arbitrary rows, not written by the projector, can raise.
_INVALID_ROWS: Final = (
    ArithmeticError,
    AttributeError,
    InvariantError,
    LookupError,
    StoreError,
    TypeError,
    ValueError,
)


class SnapshotError(RuntimeError):
    """A snapshot is damaged, belongs to another venue, fails verification, or cannot be written."""


class SnapshotHead(NamedTuple):
    """Which state a snapshot holds."""

    venue_hash: str
    block: int
    block_id: str | None  # None before the first block
    timestamp: int | None  # seconds since 1970; None before the first block
    journal_hash: str
    state_hash: str


class CheckpointClaim(NamedTuple):
    """A published checkpoint."""

    id: str  # of its intent
    account: str  # that signed it: the operator or the checkpoint account
    block: int  # that contains the intent
    claimed_block: int
    state_hash: str
    journal_hash: str


def read_head(connection: Connection) -> SnapshotHead:
    """The head of the database in the connection's transaction; all invariants are checked.

    Raises StoreError for a database without a venue, InvariantError if an invariant is violated.
    """
    return _head(connection, load_from(connection))


def _head(connection: Connection, rules: StateMachine) -> SnapshotHead:
    state, header = rules.state, rules.state.header
    block = connection.execute(select(schema.cursor.c.block)).scalar_one()
    ident, timestamp = (None, None) if header is None else (header.block_id, header.timestamp)
    return SnapshotHead(state.venue_hash, block, ident, timestamp, state.journal_hash, state_hash(state))


def read_rows(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """All rows of a table in the order of its key, in batches; the same from SQLite and PostgreSQL."""
    query = select(table).order_by(*table.primary_key.columns)
    for rows in connection.execute(query.execution_options(yield_per=_FETCH_ROWS)).partitions():
        yield [tuple(row) for row in rows]


def check_empty(connection: Connection) -> None:
    """Raise StoreError if a table of snapshots has rows."""
    for table in _TABLES:
        if connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise StoreError(f"the database is not empty (table {table.name}): choose a new one with --db")


def write_rows(connection: Connection, table: Table, parts: Iterable[Sequence[tuple[Any, ...]]]) -> None:
    """Insert rows, in batches, into an empty table."""
    insert = compile_inserts(connection.engine, [table])[table.name]
    for rows in parts:
        run(connection, insert, rows)


def prepare_reading(connection: Connection) -> None:
    """Create the secondary indexes and gather statistics, in the same transaction."""
    with tuned_for_indexing(connection):
        for index in READ_INDEXES:
            index.create(connection, checkfirst=True)
    gather_statistics(connection)


def verify(connection: Connection, expected: SnapshotHead) -> None:
    """Check that the rows are the state of the head, by rules and hashes alone. Raises SnapshotError.

    The state machine is loaded from the rows and its state hashed; the journal's hash chain is computed anew,
    and the journal must add up to the same state.
    """
    try:
        found = _head(connection, load_from(connection))
        for name, ours, theirs in zip(SnapshotHead._fields, found, expected, strict=True):
            if ours != theirs:
                raise SnapshotError(f"{name} is {ours}, but the snapshot says {theirs}")
        check(connection)
    except HistoryError as error:
        raise SnapshotError(str(error)) from error
    except _INVALID_ROWS as error:
        raise SnapshotError(f"its rows are not a valid ledger: {type(error).__name__}: {error}") from error


def newest_checkpoint(connection: Connection, block: int) -> CheckpointClaim | None:
    """The newest checkpoint of a block up to `block`."""
    c = schema.checkpoints.c
    query = select(*(c[name] for name in CheckpointClaim._fields))
    row = connection.execute(query.where(c.claimed_block <= block).order_by(c.n.desc()).limit(1)).first()
    return None if row is None else CheckpointClaim(*row)


def check_checkpoint(connection: Connection, head: SnapshotHead, claim: CheckpointClaim) -> None:
    """Raise SnapshotError if journal or state at the claimed block differ from the checkpoint.

    For a block that is not active only the journal is compared, because its id, part of the state, is not
    stored.
    """
    past = read_active_block(connection, claim.claimed_block)
    journal_hash = head.venue_hash if past is None else past.journal_hash
    agrees = journal_hash == claim.journal_hash
    if agrees and past is not None and past.number == claim.claimed_block:
        agrees = read_state_hash(connection, claim.claimed_block) == claim.state_hash
    if not agrees:
        raise SnapshotError(
            f"it does not match the operator's checkpoint of block {claim.claimed_block} (id {claim.id})"
        )
