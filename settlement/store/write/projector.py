"""Projector: journal entries → rows, a batch per transaction with journal and cursor.

It is the only writer of the exchange's tables, and it keeps its own ledger while it projects: after every batch its
totals per token are compared with the state machine's, and on demand the whole state text (two bookkeepers that must
agree).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, inspect, select

from settlement.core.accounts import ESCROW
from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.parsing.amounts import integer_text
from settlement.core.parsing.names import chain_of
from settlement.core.state import InvariantError, State
from settlement.core.venue import Venue
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.dialect import gather_statistics, tuned_for_indexing
from settlement.store.indexes import READ_INDEXES
from settlement.store.write.change_set import write_change_set
from settlement.store.write.ledger import Ledger
from settlement.store.write.ledger_loader import load_ledger
from settlement.store.write.rows import COUNTED, BatchRows, setting_row
from settlement.store.write.statements import Row, compile_statements, run

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
    live: bool = False  # while following the chain: at most one entry, whose change set is kept for the stream


def totals_of(state: State) -> dict[str, Totals]:
    """The totals of the state machine, by symbol."""
    return {symbol: Totals(token.liabilities_units, token.holdings) for symbol, token in state.tokens.items()}


class Projector:
    """Writes batches into one database. After any error it must be discarded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._statements = compile_statements(engine)
        with engine.connect() as connection:
            self.ledger = load_ledger(connection)
            self._cursor = connection.execute(select(schema.cursor)).one()._asdict()
            self._last = {name: _last_number(connection, name) for name in COUNTED}
            self._last["blocks"] = self._cursor["last_block_n"]
        self._position = (self._cursor["block"], self._cursor["journal_hash"])

    def project(self, batch: Batch) -> None:
        """Commit a batch and move the cursor to its end.

        Raises StoreError, and writes nothing, if another process has moved the cursor; InvariantError if the ledgers
        disagree.
        """
        ledger, saved_accounts = self.ledger, len(self.ledger.names) - 1
        rows = BatchRows(ledger, self._last, saved_accounts)
        tokens, pairs = len(ledger.tokens), len(ledger.pairs)
        rules_changed, facts = False, None
        for entry in batch.entries:
            facts = ledger.apply(entry)
            rules_changed = rules_changed or facts.rules_changed
            rows.add_block(entry, facts)
        if batch.end.number != (ledger.header.number if ledger.header else None):
            ledger.pass_block(batch.end)
        self._compare(batch)
        written = {**rows.finish(), "receipts": list(batch.receipts)}
        if rules_changed or (tokens, pairs) != (len(ledger.tokens), len(ledger.pairs)):
            written |= rule_rows(ledger)
        written["cursor"] = [self._cursor_row(batch.end)]
        with self._engine.begin() as connection:
            _check_position(connection, self._position)
            for name, statement in self._statements.items():
                run(connection, statement, written.get(name, ()))
            if batch.live and facts is not None:
                write_change_set(connection, ledger, facts, self._last["blocks"], self._position[1])
        self._position = (batch.end.number, ledger.journal_hash)

    def _compare(self, batch: Batch) -> None:
        """The projector's ledger against the state machine's, at the end of a batch."""
        for symbol, told in batch.totals.items():
            token = self.ledger.tokens[symbol]
            ours = Totals(-token.totals[ESCROW], token.holdings)
            if ours != told or sum(token.totals) != 0:
                raise InvariantError(f"{symbol}: the projector has {ours}, the rules have {told}")
        if batch.state_hash is not None:
            self.check_state(batch.state_hash)

    def check_state(self, state_hash: str) -> None:
        """Compare the whole state. Raises InvariantError."""
        ours = sha256(self.ledger.state_text().encode()).hexdigest()
        if ours != state_hash:
            raise InvariantError(f"the projector's state is {ours}, the rules' is {state_hash}")

    def _cursor_row(self, end: BlockHeader) -> Row:
        ledger, rules = self.ledger, self.ledger.rules
        assert rules is not None
        return (
            1,
            self._cursor["venue_hash"],
            self._cursor["venue_text"],
            *end[:1],
            end.block_id,
            end.timestamp,
            ledger.journal_hash,
            ledger.last_seq,
            ledger.last_trade,
            self._last["blocks"],
            rules.max_open_orders,
            rules.fee_account,
        )


def initialise(engine: Engine, venue: Venue) -> None:
    """Write the venue's tokens, pairs and first cursor into an empty database."""
    block = venue.start_block - 1
    rules = lines.Rules(venue.max_open_orders, venue.fee_account)
    texts = [*(token.line() for token in venue.tokens), *(pair.line() for pair in venue.pairs)]
    parsed = [lines.parse(text.rstrip("\n")) for text in texts]
    settings = [rules, *parsed]
    ledger = Ledger(venue.hash)
    for line in parsed:
        if isinstance(line, lines.Token):
            ledger.add_token(line)
        elif isinstance(line, lines.Pair):
            ledger.add_pair(line)
    rows: dict[str, list[Row]] = rule_rows(ledger)
    rows["settings"] = [
        setting_row(n, block, line, str(line[0]) if isinstance(line, lines.Token | lines.Pair) else "")
        for n, line in enumerate(settings, 1)
        if isinstance(line, lines.Token | lines.Pair | lines.Rules)
    ]
    rows["cursor"] = [
        (
            1,
            venue.hash,
            venue.text,
            block,
            None,
            0,
            venue.hash,
            0,
            0,
            0,
            rules.max_open_orders,
            rules.fee_account,
        )
    ]
    with engine.begin() as connection:
        _check_position(connection, None)
        for name, statement in compile_statements(engine).items():
            run(connection, statement, rows.get(name, ()))


def rule_rows(ledger: Ledger) -> dict[str, list[Row]]:
    """Rows of all tokens, their holdings, and all pairs: they are few and seldom change."""
    return {
        "holdings": [(symbol, integer_text(token.holdings)) for symbol, token in ledger.tokens.items()],
        "tokens": [
            (
                token.number,
                symbol,
                token.line.precision,
                chain_of(symbol),
                token.line.escrow,
                token.line.min_withdrawal,
            )
            for symbol, token in ledger.tokens.items()
        ],
        "pairs": [
            (pair.number, pair.base.line.symbol, pair.quote.line.symbol, *pair.line[1:])
            for pair in ledger.pairs.values()
        ],
    }


def make_read_indexes(engine: Engine) -> None:
    """Create the missing secondary indexes; called once catching up is done.

    Each in its own transaction, so that a stopped process resumes where it was.
    """
    existing = inspect(engine).get_multi_indexes().values()
    names = {index["name"] for indexes in existing for index in indexes}
    for index in READ_INDEXES:
        if index.name not in names:
            with engine.begin() as connection, tuned_for_indexing(connection):
                index.create(connection)
    with engine.begin() as connection:
        gather_statistics(connection)


def _check_position(connection: Connection, expected: tuple[int, str] | None) -> None:
    """Detect a second writer: the cursor must be where this projector left it."""
    row = connection.execute(_POSITION.with_for_update()).one_or_none()
    if (None if row is None else (row.block, row.journal_hash)) != expected:
        raise StoreError("another process is writing to this database: run one indexer per database")


def _last_number(connection: Connection, name: str) -> int:
    """The last number given in a table; deposits, refunds and ignored arrivals share one sequence."""
    if name == "blocks":
        return 0  # the cursor knows
    number = connection.scalar(select(func.max(schema.metadata.tables[name].c.n))) or 0
    if name == "deposits":
        for key in (schema.refunds.c.arrival, schema.ignored.c.n):
            number = max(number, connection.scalar(select(func.max(key))) or 0)
    return number
