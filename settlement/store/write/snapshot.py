"""A database as rows that can be carried elsewhere, and the proof that what has arrived is right.

What one machine needs for itself (leases, the indexer's word about itself) is not carried; the records of
payouts are where they are asked for. How rows are written into a file is `indexer.ops.backup`'s matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, func, literal, select

from settlement.core.journal.state_text import state_hash
from settlement.core.journal.text import chain_hash, iso_time
from settlement.core.state import InvariantError
from settlement.core.state_machine import StateMachine
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.dialect import gather_statistics, sorting
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.position import read_past
from settlement.store.write.loader import load_from
from settlement.store.write.statements import compile_inserts, run

_LOCAL: Final = frozenset(("indexer_status", "lease", "payout_lease"))
_PAYOUTS: Final = "payout_"
STATE_TABLES: Final[tuple[Table, ...]] = tuple(
    table
    for table in schema.metadata.sorted_tables
    if table.name not in _LOCAL and not table.name.startswith(_PAYOUTS)
)
"""The exchange: what every node has the same of at the same block."""
PAYOUT_TABLES: Final[tuple[Table, ...]] = tuple(
    table
    for table in schema.metadata.sorted_tables
    if table.name not in _LOCAL and table.name.startswith(_PAYOUTS)
)
"""What this operator's payouts have written down."""
_READ: Final = 500
"""Rows that are read at a time: those of the journal can be long."""
# What a ledger of rows that nobody's recorder wrote can break, on its way into the engine.
_BROKEN: Final = (
    ArithmeticError,
    AttributeError,
    InvariantError,
    LookupError,
    StoreError,
    TypeError,
    ValueError,
)


_NUMBERED: Final[Mapping[Table, str]] = {
    schema.orders: "last_seq",
    schema.trades: "last_trade",
    schema.withdrawals: "last_withdrawal",
    schema.refunds: "last_refund",
}


class SnapshotError(RuntimeError):
    """What was carried is damaged, of another venue, or proves something else, or could not be written."""


class Head(NamedTuple):
    """Which state it is. `block_id` and `timestamp` (seconds since 1970) are None before any block."""

    venue_hash: str
    block: int
    block_id: str | None
    timestamp: int | None
    journal_hash: str
    state_hash: str


class Claim(NamedTuple):
    """A checkpoint of the operator: `id` and `block` are where the chain has it."""

    id: str
    block: int
    claimed_block: int
    state_hash: str
    journal_hash: str


def read_head(connection: Connection) -> Head:
    """The head of the database as the connection's transaction sees it; the books are added up in full.

    Raises StoreError for a database without a venue, InvariantError where the books do not add up.
    """
    return _head(connection, load_from(connection))


def _head(connection: Connection, rules: StateMachine) -> Head:
    state, header = rules.state, rules.state.header
    block = connection.execute(select(schema.cursor.c.block)).scalar_one()
    ident, timestamp = (None, None) if header is None else (header.block_id, header.timestamp)
    return Head(state.venue_hash, block, ident, timestamp, state.journal_hash, state_hash(state))


def read_rows(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """All rows of a table in the order of its key, some at a time: the same from every kind of database."""
    query = select(table).order_by(*table.primary_key.columns)
    for rows in connection.execute(query.execution_options(yield_per=_READ)).partitions():
        yield [tuple(row) for row in rows]


def check_empty(connection: Connection) -> None:
    """Raise StoreError if the database holds anything that a snapshot would bring."""
    for table in (*STATE_TABLES, *PAYOUT_TABLES):
        if connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise StoreError(
                f"the database holds something already (table {table.name}): name a new one with --db"
            )


def write_rows(connection: Connection, table: Table, parts: Iterable[Sequence[tuple[Any, ...]]]) -> None:
    """Put rows into a table that is empty, as they come."""
    insert = compile_inserts(connection.engine, [table])[table.name]
    for rows in parts:
        run(connection, insert, rows)


def prepare_reading(connection: Connection) -> None:
    """Make what readers need, in the same transaction."""
    with sorting(connection):
        for index in schema.READ_INDEXES:
            index.create(connection, checkfirst=True)
    gather_statistics(connection)


def verify(connection: Connection, told: Head) -> None:
    """Whether the rows are the state that they were told to be, by the rules and the hashes alone.

    The engine is loaded from them and its state hashed; the journal's hash chain is computed anew from its
    lines. Raises SnapshotError.
    """
    try:
        found = _head(connection, load_from(connection))
    except _BROKEN as error:
        raise SnapshotError(f"its rows make no ledger: {type(error).__name__}: {error}") from error
    for name, ours, theirs in zip(Head._fields, found, told, strict=True):
        if ours != theirs:
            raise SnapshotError(f"{name} is {ours}, but it says {theirs}")
    _check_numbers(connection)
    _check_journal(connection, told)


def _check_numbers(connection: Connection) -> None:
    """What is counted on from must be where the rows end: no hash says it."""
    for table, name in _NUMBERED.items():
        (key,) = table.primary_key
        last = connection.scalar(select(func.max(key))) or 0
        told = connection.execute(select(schema.cursor.c[name])).scalar_one()
        if last != told:
            raise SnapshotError(f"the last of {table.name} is {last}, but it says {told}")


def _check_journal(connection: Connection, told: Head) -> None:
    b, lines = schema.blocks.c, schema.journal.c.lines
    query = (
        select(b.number, b.block_id, b.timestamp, b.journal_hash, b.n, lines)
        .join_from(schema.blocks, schema.journal, b.number == schema.journal.c.block)
        .order_by(b.number)
        .execution_options(yield_per=_READ)
    )
    count, last, journal_hash = 0, 0, told.venue_hash
    for number, block_id, timestamp, recorded, n, text in connection.execute(query):
        count += 1
        journal_hash = chain_hash(journal_hash, text)
        if journal_hash != recorded or n != count:
            raise SnapshotError(f"the journal's hash chain breaks at block {number}")
        if not text.startswith(f"block {number} {block_id} {iso_time(timestamp)}\n"):
            raise SnapshotError(f"the journal's lines of block {number} are of another block")
        last = number
    counts = {connection.scalar(select(func.count()).select_from(t)) for t in (schema.blocks, schema.journal)}
    recorded_blocks = connection.execute(select(schema.cursor.c.last_block_n)).scalar_one()
    if counts | {recorded_blocks} != {count} or last > told.block or journal_hash != told.journal_hash:
        raise SnapshotError("the journal is not complete: its hash chain does not end at journal_hash")


def newest_claim(connection: Connection, block: int) -> Claim | None:
    """The newest checkpoint that the operator has made of a block up to that one, as the rows tell it."""
    c = schema.checkpoints.c
    query = select(c.id, c.block, c.claimed_block, c.state_hash, c.journal_hash)
    row = connection.execute(query.where(c.claimed_block <= block).order_by(c.n.desc()).limit(1)).first()
    return None if row is None else Claim(*row)


def check_claim(connection: Connection, told: Head, claim: Claim) -> None:
    """Whether journal and state were what a checkpoint says of its block. Raises SnapshotError.

    Of a block in which nothing of ours happened the journal alone is compared: its id is not kept.
    """
    past = read_past(connection, claim.claimed_block)
    found = told.venue_hash if past is None else past.journal_hash
    same = found == claim.journal_hash
    if same and past is not None and past.number == claim.claimed_block:
        text = read_state_text(connection, claim.claimed_block)
        same = sha256(text.encode()).hexdigest() == claim.state_hash
    if not same:
        raise SnapshotError(
            f"the operator's checkpoint of block {claim.claimed_block} says otherwise (id {claim.id})"
        )
