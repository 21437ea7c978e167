"""Restores the state machine from the database, so that after a restart all hashes continue unchanged.

Rows → the projector's ledger → state text → state: the same way in which a replica starts from a state text.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select, update

from settlement.core.journal.state_text import StateTextError, read_state
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue, VenueError, parse_venue
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.write.collector import paused_collector
from settlement.store.write.initialise import initialise
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.load_rows import check_state_hash, load_ledger
from settlement.store.write.ledger.state_text import state_text
from settlement.store.write.projector import Projector


def load(engine: Engine, venue: Venue | None = None) -> StateMachine:
    """The state machine as of the database's last block; all invariants are checked.

    Without `venue`, the one stored in the database is used. Raises StoreError if the database has no venue
    or belongs to another one.
    """
    with engine.connect() as connection:
        return load_from(connection, venue)


def load_from(connection: Connection, venue: Venue | None = None) -> StateMachine:
    """`load` within the connection's transaction."""
    agreed = read_venue(connection, venue)
    with paused_collector():
        ledger = load_ledger(connection)
        check_state_hash(connection, ledger)
        return _restore(ledger, agreed)


def load_or_initialise(engine: Engine, venue: Venue | None = None) -> tuple[StateMachine, Projector]:
    """State machine and projector of a database, for its single writer; an empty database is initialised."""
    with engine.connect() as connection:
        is_empty = connection.execute(select(schema.cursor.c.id)).one_or_none() is None
        if not is_empty or venue is None:
            venue = read_venue(connection, venue)
    if is_empty:
        initialise(engine, venue)
    elif venue.text:
        _keep_text(engine, venue.text)
    with paused_collector():
        projector = Projector(engine)
        return _restore(projector.ledger, venue), projector


def _keep_text(engine: Engine, text: str) -> None:
    """Note the venue file as last read; what it says outside consensus may have changed."""
    column = schema.cursor.c.venue_text
    with engine.begin() as connection:
        connection.execute(update(schema.cursor).where(column != text).values(venue_text=text))


def read_venue(connection: Connection, venue: Venue | None = None) -> Venue:
    """The database's venue. Raises StoreError if it has none, or if `venue` is another one."""
    cursor = connection.execute(select(schema.cursor.c.venue_text, schema.cursor.c.venue_hash)).one_or_none()
    if cursor is None:
        raise StoreError("the database has no venue yet: give its file with --venue")
    if venue is None:
        try:
            venue = parse_venue(cursor.venue_text)
        except VenueError as error:
            raise StoreError(f"cannot parse the database's venue: {error}") from error
    if venue.hash != cursor.venue_hash:
        raise StoreError(
            f"the database belongs to another venue ({cursor.venue_hash[:16]}…, the file is "
            f"{venue.hash[:16]}…): use its own venue file, or another --db"
        )
    return venue


def _restore(ledger: Ledger, venue: Venue) -> StateMachine:
    try:
        return StateMachine(venue, read_state(venue, state_text(ledger)))
    except StateTextError as error:
        raise StoreError(f"the database does not hold a valid state: {error}") from error
