"""Pairs left over by firing, in the tables: a thousand stops fire in a block, the others in the next (section 7)."""

from __future__ import annotations

from itertools import count

from sqlalchemy import select

from settlement.core.events import HIVE_ENGINE, Action, BlockHeader, Event, Movement
from settlement.core.journal.state_text import state_hash, state_text
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import Batch, totals_of
from settlement.store.write.rebuild import check, rebuild
from settlement.store.write.row_check import check_rows
from tests.scenarios.scenario import START, read_venue
from tests.support import databases
from tests.system.store.chains import dump

STOPS = 2_100
_IDS = count(1)


def deposit(account: str, symbol: str, escrow: str) -> Movement:
    return Movement(f"{next(_IDS):040x}", HIVE_ENGINE, account, escrow, symbol, "1000", "")


def order(account: str, name: str, quantity: str, price: str, **more: object) -> Action:
    payload = {"symbol": "TKN", "quantity": quantity, "price": price, **more}
    return Action(f"{next(_IDS):040x}", account, True, name, payload)


def storm() -> list[list[Event]]:
    """Stops of alice, a trade of others at which all are reached, and blocks in which nobody acts."""
    stops: list[Event] = [
        order("alice", "sell", "0.01", "9", triggerPrice="1", triggerWhen="above") for _ in range(STOPS)
    ]
    return [
        [
            deposit("alice", "TKN", "dex.tokens"),
            deposit("carol", "TKN", "dex.tokens"),
            deposit("dan", "SWAP.HIVE", "dex.hive"),
        ],
        stops,
        [order("carol", "sell", "1", "1"), order("dan", "buy", "1", "1")],
        [],
        [],
        [],
    ]


def test_pairs_left_over_are_stored_loaded_and_shown_of_the_past() -> None:
    """After each block a restart continues with the same state, and later its text is told as of then."""
    venue = read_venue("basic", [("venue.max_open_orders", "10000"), ("venue.order_lifetime", "100000")])
    database = open_writer(databases.fresh())
    _, projector = load_or_initialise(database, venue)
    texts, left, fired = {}, [], []
    for events in storm():
        rules = load(database)
        number = rules.next_block()
        header = BlockHeader(number, f"{number:08x}" + "0" * 32, START + 3 * number)
        entry = rules.apply(header, events)
        projector.project(
            Batch([entry] if entry.text else [], [], header, totals_of(rules.state), state_hash(rules.state))
        )
        texts[number] = state_text(rules.state)
        assert state_text(load(database).state) == texts[number]
        left.append("\nleft TKN/SWAP.HIVE\n" in texts[number])
        fired.append(entry.text.count("\ntrigger "))
    assert fired == [0, 0, 1_000, 1_000, 100, 0]
    assert left == [False, False, True, True, False, False]
    with database.connect() as connection:
        assert len(connection.execute(select(schema.left_over)).all()) == 2
        for number, text in texts.items():
            if f"block {number} " in read_state_text(connection, number):
                assert read_state_text(connection, number) == text
        check(connection)
        assert check_rows(connection)
    kept = dump(database)
    rebuild(database)
    assert dump(database) == kept
