"""First rows of a database: of a new venue, or of a replica that starts from a state text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Engine

from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.journal.state_text import StateTextError, read_state
from settlement.core.venue import Venue
from settlement.store.database import StoreError
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.load_rows import load_ledger
from settlement.store.write.ledger.load_state import load_state
from settlement.store.write.ledger.state_text import state_text
from settlement.store.write.projector import Origin, check_position, cursor_row, state_check_row, write_rows
from settlement.store.write.rows import BatchRows, rule_rows, setting_row
from settlement.store.write.statements import Row, compile_statements


def initialise(engine: Engine, venue: Venue) -> None:
    """Write the venue's tokens, pairs and first cursor into an empty database."""
    _write(engine, initial_rows(venue), None)


def initial_rows(venue: Venue) -> dict[str, list[Row]]:
    """Rows of a venue before its first block, by statement name."""
    before = BlockHeader(venue.first_block - 1, "", 0)
    ledger, settings = initial_ledger(venue)
    rows = rule_rows(ledger)
    rows["settings"] = [setting_row(n, before.number, line) for n, line in enumerate(settings, 1)]
    rows["cursor"] = [cursor_row(ledger, Origin(venue.hash, venue.text, None), before)]
    return rows


def initial_ledger(venue: Venue) -> tuple[Ledger, list[lines.Token | lines.Pair | lines.Rules]]:
    """The ledger before the first block, and the venue file's settings as journal lines."""
    ledger = Ledger(venue.hash)
    rules = lines.Rules(venue.max_open_orders, venue.fee_account)
    ledger.set_rules(rules)
    settings: list[lines.Token | lines.Pair | lines.Rules] = [rules]
    for text in (*(token.line() for token in venue.tokens), *(pair.line() for pair in venue.pairs)):
        line = lines.parse(text.rstrip("\n"))
        if isinstance(line, lines.Token):
            ledger.add_token(line)
            settings.append(line)
        elif isinstance(line, lines.Pair):
            ledger.add_pair(line)
            settings.append(line)
    ledger.last["settings"] = len(settings)
    return ledger, settings


def initialise_from_state(engine: Engine, venue: Venue, text: str, expected_hash: str) -> None:
    """Write the rows of a state into an empty database; `load_or_initialise` continues from there.

    The history begins with the state's block: earlier blocks, trades, transfers and candles are missing, and
    what is open appears as if that block had opened it. Raises StoreError, and writes nothing, if the text
    does not have the expected hash, is no state of the venue, or the database is not empty.
    """
    found = sha256(text.encode()).hexdigest()
    if found != expected_hash:
        raise StoreError(
            f"the state text has hash {found}, not {expected_hash}: get it again, or fix --state-hash"
        )
    try:
        header = read_state(venue, text).header
    except StateTextError as error:
        raise StoreError(f"the state text cannot be used: {error}") from error
    if header is None:  # before the first block: there is nothing but the venue file
        initialise(engine, venue)
        return
    ledger, facts = load_state(text)
    rows = BatchRows(ledger, is_empty=True)
    rows.add_block(lines.JournalEntry(header, "", ledger.journal_hash), facts)
    written = rows.finish()
    written["marks"] += [
        (pair.number, block.block, str(block.base), str(block.quote))
        for pair in ledger.pairs.values()
        for block in pair.mark.blocks
    ]
    origin = Origin(venue.hash, venue.text, header.number)
    written["cursor"] = [cursor_row(ledger, origin, header)]
    written["state_check"] = [state_check_row(header, expected_hash)]
    _write(engine, written, text)


def _write(engine: Engine, rows: Mapping[str, Sequence[Row]], text: str | None) -> None:
    """Write the first rows, and check that a state read from them is that of the text."""
    with engine.begin() as connection:
        check_position(connection, None)
        write_rows(connection, compile_statements(engine), rows)
        if text is not None and state_text(load_ledger(connection)) != text:
            raise StoreError("the rows made of the state text do not give the same state: report this")
