"""Process with compiled rules and projector, for test_compiled.py.

Sends the golden journals, then answers requests, all as pickles: `venue` with the policies of the pairs starts a new state
machine, `block` with header and events is answered with journal, hash, states and rows, or with the error.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

from indexer.rules_build import rules_are_compiled
from settlement.core.events import BlockHeader, Event
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from settlement.store.write.initialise import initial_ledger
from settlement.store.write.ledger import state_text as ledger_state
from settlement.store.write.ledger.apply import apply_entry, pass_block
from settlement.store.write.rows import BatchRows
from tests.property.model.random_venues import make_venue
from tests.scenarios.golden import golden


def main() -> int:
    if not rules_are_compiled():
        print("the rules of this process are not compiled", file=sys.stderr)
        return 1
    send({seed: golden.make(seed) for seed in golden.SEEDS})
    exchange: Exchange | None = None
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return 0
        kind, *rest = request
        if kind == "venue":
            exchange = Exchange(make_venue(*rest))
            continue
        assert exchange is not None
        send(exchange.outcome(*rest))


class Exchange:
    """State machine and projector of a venue, without a database."""

    def __init__(self, venue: Venue) -> None:
        self._machine = StateMachine(venue)
        self._ledger, _ = initial_ledger(venue)

    def outcome(self, header: BlockHeader, events: list[Event]) -> tuple[Any, ...]:
        """Journal text, journal hash, both state texts and the rows after a block; or type and text of an error."""
        ledger = self._ledger
        try:
            done = self._machine.apply(header, events)
            check_all(self._machine.state)
            rows = BatchRows(ledger)
            if done.text:
                rows.add_block(done, apply_entry(ledger, done))
            else:
                pass_block(ledger, header)
            written = dict(rows.finish())
        except Exception as error:  # any error must be the same in both builds
            return (type(error).__name__, str(error))
        return (
            done.text,
            done.hash,
            state_text(self._machine.state),
            ledger_state.state_text(ledger),
            written,
        )


def send(value: object) -> None:
    pickle.dump(value, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
