"""Projector: writes the results of blocks to the database, a batch per transaction with journal and cursor.

It is the only writer of the exchange's tables. It passes tuples to precompiled statements, so that its cost
is that of the rows; a row that a batch changes several times is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, inspect, select

from settlement.core.journal.entries import BlockResult
from settlement.core.state import State
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.dialect import gather_statistics, lock_migrations, tuned_for_indexing
from settlement.store.indexes import READ_INDEXES
from settlement.store.read.open_at_block import is_open
from settlement.store.write.rows import BatchRows, Numbers
from settlement.store.write.statements import Row, compile_statements, run

_NUMBERED_HERE = (
    schema.intents,
    schema.transfers,
    schema.deposits,
    schema.outflows,
    schema.internal_moves,
    schema.checkpoints,
)
"""Tables whose rows the projector numbers; the state machine numbers the others."""
_OPENED = (schema.orders, schema.withdrawals, schema.refunds)
_POSITION = select(schema.cursor.c.block, schema.cursor.c.journal_hash)


class Projector:
    """Writes batches of block results of one state. After any error, discard it together with its state."""

    def __init__(self, engine: Engine, state: State) -> None:
        self._engine = engine
        self._state = state
        self._position = _position(state)
        self._statements = compile_statements(engine)
        with engine.connect() as connection:
            self._numbers = Numbers(
                _numbered(connection, schema.accounts, schema.accounts.c.name),
                _numbered(connection, schema.tokens, schema.tokens.c.symbol),
                _numbered(connection, schema.pairs, schema.pairs.c.base + "/" + schema.pairs.c.quote),
                _last_numbers(connection, state),
                {table.name: _opened(connection, table) for table in _OPENED},
            )

    def initialise(self) -> None:
        """Write the venue's tokens, pairs and first cursor into an empty database."""
        self._write([], expected_position=None, rules_changed=True)

    def record(self, batch: Sequence[BlockResult], receipts: Sequence[Row] = ()) -> None:
        """Commit a batch and move the cursor to its last block, which the state must not have passed.

        `receipts` are the relevant sidechain receipts: (number of the Hive block, JSON text).
        Raises StoreError, and writes nothing, if another process has moved the cursor.
        """
        self._write(
            batch,
            expected_position=self._position,
            rules_changed=any(block.rules_changed for block in batch),
            receipts=receipts,
        )

    def _write(
        self,
        batch: Iterable[BlockResult],
        *,
        expected_position: tuple[int, str] | None,
        rules_changed: bool,
        receipts: Sequence[Row] = (),
    ) -> None:
        state = self._state
        rules: dict[str, list[Row]] = self._rule_rows() if rules_changed else {}
        batch_rows = BatchRows(self._numbers)
        for block in batch:
            batch_rows.add_block(block)
        rows = {**batch_rows.finish(), **rules, "receipts": receipts}
        rows["cursor"] = [_cursor_row(state, self._numbers.last["blocks"])]
        with self._engine.begin() as connection:
            _check_position(connection, expected_position)
            for name, statement in self._statements.items():
                run(connection, statement, rows.get(name, ()))
        self._position = _position(state)

    def _rule_rows(self) -> dict[str, list[Row]]:
        """All tokens with their holdings, and all pairs: they are few and seldom change."""
        state, numbers = self._state, self._numbers
        return {
            "holdings": [(*key, str(units)) for key, units in state.holdings.items()],
            "tokens": [
                _row(
                    schema.tokens,
                    id=_number(numbers.tokens, token.symbol),
                    symbol=token.symbol,
                    precision=token.precision,
                    chain=token.chain,
                    escrow=token.escrow,
                )
                for token in state.tokens.values()
            ],
            "pairs": [
                _row(
                    schema.pairs,
                    id=_number(numbers.pairs, pair.name),
                    base=pair.base.symbol,
                    quote=pair.quote.symbol,
                    price_decimals=pair.price_decimals,
                    quantity_decimals=pair.quantity_decimals,
                    maker_fee_bps=pair.maker_fee_bps,
                    taker_fee_bps=pair.taker_fee_bps,
                    price_policy=pair.price_policy,
                    self_trade=pair.self_trade,
                    status=pair.status,
                )
                for pair in state.pairs.values()
            ],
        }


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


def _position(state: State) -> tuple[int, str]:
    """The cursor's position once the state is written: block number and journal hash."""
    header = state.header
    return state.venue.start_block - 1 if header is None else header.number, state.journal_hash


def _check_position(connection: Connection, expected: tuple[int, str] | None) -> None:
    """Detect a second writer: the cursor must be where this projector left it."""
    row = connection.execute(_POSITION.with_for_update()).one_or_none()
    if (None if row is None else (row.block, row.journal_hash)) != expected:
        raise StoreError("another process is writing to this database: run one indexer per database")


def _number(numbers: dict[str, int], name: str) -> int:
    return numbers.setdefault(name, len(numbers) + 1)


def _numbered(connection: Connection, table: Table, name: ColumnElement[str]) -> dict[str, int]:
    return {row.name: row.id for row in connection.execute(select(table.c.id, name.label("name")))}


def _last_numbers(connection: Connection, state: State) -> dict[str, int]:
    """The last key assigned in each table."""
    last = {table.name: connection.scalar(select(func.max(table.c.n))) or 0 for table in _NUMBERED_HERE}
    refunds = schema.refunds.c
    arrival = connection.scalar(select(refunds.arrival).order_by(refunds.n.desc()).limit(1)) or 0
    return {
        **last,
        "deposits": max(last["deposits"], arrival),
        "blocks": connection.scalar(select(schema.cursor.c.last_block_n)) or 0,
        "orders": state.last_seq,
        "trades": state.last_trade,
        "withdrawals": state.last_withdrawal,
        "refunds": state.last_refund,
    }


def _opened(connection: Connection, table: Table) -> dict[int, int]:
    """The opening block of each open row, by key."""
    (key,) = table.primary_key
    open_now = select(key, table.c.block).where(is_open(table.c.status)).execution_options(yield_per=10_000)
    opened: dict[int, int] = {}
    for rows in connection.execute(open_now).partitions():
        opened.update(rows)
    return opened


def _cursor_row(state: State, last_block_n: int) -> Row:
    header = state.header
    block, journal_hash = _position(state)
    return _row(
        schema.cursor,
        id=1,
        venue_hash=state.venue_hash,
        venue_text=state.venue.text,
        block=block,
        block_id=None if header is None else header.block_id,
        timestamp=0 if header is None else header.timestamp,
        journal_hash=journal_hash,
        last_seq=state.last_seq,
        last_trade=state.last_trade,
        last_withdrawal=state.last_withdrawal,
        last_refund=state.last_refund,
        last_block_n=last_block_n,
        max_open_orders=state.max_open_orders,
        fee_account=state.fee_account.name,
    )


def _row(table: Table, **values: object) -> Row:
    """The values in the order of the table's columns."""
    return tuple(values[column.name] for column in table.columns)
