"""Effects → rows: one transaction holds a batch's journal, rows and cursor (rules of the house).

The recorder is the only writer. It gives the driver compiled statements and tuples, so that its cost
is that of the rows; what a batch changes twice is written once, with its newest value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, inspect, select

from settlement.core.journal.entries import BlockResult
from settlement.core.state import State
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.dialect import gather_statistics, sorting
from settlement.store.read.open_at_block import is_open
from settlement.store.write.rows import BatchRows, Numbers
from settlement.store.write.statements import Row, compile_statements, run

_COUNTED = (
    schema.intents,
    schema.transfers,
    schema.deposits,
    schema.outflows,
    schema.internal_moves,
    schema.checkpoints,
)

_OPENED = (schema.orders, schema.withdrawals, schema.refunds)
_POSITION = select(schema.cursor.c.block, schema.cursor.c.journal_hash)


class Recorder:
    """Writes batches of effects of one state. After any error it must be thrown away with its state."""

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
        self._write([], stands_at=None, rules_changed=True)

    def record(self, batch: Sequence[BlockResult], receipts: Sequence[Row] = ()) -> None:
        """Commit a batch, with the cursor on its last block. The engine must not have gone on past it.

        `receipts` are the sidechain's that counted: number of the Hive block, JSON text.
        Raises StoreError, and writes nothing, if another process has moved the cursor meanwhile.
        """
        self._write(
            batch,
            stands_at=self._position,
            rules_changed=any(block.rules_changed for block in batch),
            receipts=receipts,
        )

    def _write(
        self,
        batch: Iterable[BlockResult],
        *,
        stands_at: tuple[int, str] | None,
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
            _check_position(connection, stands_at)
            for name, statement in self._statements.items():
                run(connection, statement, rows.get(name, ()))
        self._position = _position(state)

    def _rule_rows(self) -> dict[str, list[Row]]:
        """Tokens, their holdings, and pairs as they stand: few, and they seldom change."""
        state, numbers = self._state, self._numbers
        return {
            "holdings": [(*key, str(units)) for key, units in state.holdings.items()],
            "tokens": [
                (_number(numbers.tokens, t.symbol), t.symbol, t.precision, t.chain, t.escrow)
                for t in state.tokens.values()
            ],
            "pairs": [
                (
                    _number(numbers.pairs, pair.name),
                    pair.base.symbol,
                    pair.quote.symbol,
                    pair.price_decimals,
                    pair.quantity_decimals,
                    pair.maker_fee_bps,
                    pair.taker_fee_bps,
                    pair.price_policy,
                    pair.self_trade,
                    pair.status,
                )
                for pair in state.pairs.values()
            ],
        }


def make_read_indexes(engine: Engine) -> None:
    """Make the indexes that readers need, where they are missing: once, when catching up is done.

    Each in a transaction of its own: what was stopped half way goes on from there.
    """
    there = inspect(engine).get_multi_indexes().values()
    names = {index["name"] for indexes in there for index in indexes}
    for index in schema.READ_INDEXES:
        if index.name not in names:
            with engine.begin() as connection, sorting(connection):
                index.create(connection)
    with engine.begin() as connection:
        gather_statistics(connection)


def _position(state: State) -> tuple[int, str]:
    """Where the cursor stands once the state is recorded: block and journal hash."""
    header = state.header
    return state.venue.start_block - 1 if header is None else header.number, state.journal_hash


def _check_position(connection: Connection, expected: tuple[int, str] | None) -> None:
    """The database must be as we left it: a second writer would record over the first."""
    row = connection.execute(_POSITION.with_for_update()).one_or_none()
    if (None if row is None else (row.block, row.journal_hash)) != expected:
        raise StoreError("another process writes to this database: let one indexer alone write to it")


def _number(numbers: dict[str, int], name: str) -> int:
    return numbers.setdefault(name, len(numbers) + 1)


def _numbered(connection: Connection, table: Table, name: ColumnElement[str]) -> dict[str, int]:
    return {row.name: row.id for row in connection.execute(select(table.c.id, name.label("name")))}


def _last_numbers(connection: Connection, state: State) -> dict[str, int]:
    """The last key that was given in each table."""
    last = {table.name: connection.scalar(select(func.max(table.c.n))) or 0 for table in _COUNTED}
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
    """By key, the block in which each was opened that is open still."""
    (key,) = table.primary_key
    open_now = select(key, table.c.block).where(is_open(table.c.status)).execution_options(yield_per=10_000)
    opened: dict[int, int] = {}
    for rows in connection.execute(open_now).partitions():
        opened.update(rows)
    return opened


def _cursor_row(state: State, last_block_n: int) -> Row:
    header = state.header
    block, journal_hash = _position(state)
    return (
        1,
        state.venue_hash,
        state.venue.text,
        block,
        None if header is None else header.block_id,
        0 if header is None else header.timestamp,
        journal_hash,
        state.last_seq,
        state.last_trade,
        state.last_withdrawal,
        state.last_refund,
        last_block_n,
        state.max_open_orders,
        state.fee_account.name,
    )
