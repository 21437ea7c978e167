"""Process with the compiled rules, for test_compiled.py.

Sends the golden journals, then answers requests, all as pickles: `venue` with the policies of the pairs starts a new state
machine, `block` with header and events is answered with journal, hash and state, or with the error.
"""

from __future__ import annotations

import pickle
import sys

from indexer.rules_build import rules_are_compiled
from settlement.core.events import BlockHeader, Event
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from tests.property.model.random_venues import make_venue
from tests.scenarios.golden import golden


def main() -> int:
    if not rules_are_compiled():
        print("the rules of this process are not compiled", file=sys.stderr)
        return 1
    send({seed: golden.make(seed) for seed in golden.SEEDS})
    machine: StateMachine | None = None
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return 0
        kind, *rest = request
        if kind == "venue":
            machine = StateMachine(make_venue(*rest))
            continue
        assert machine is not None
        send(outcome(machine, *rest))


def outcome(machine: StateMachine, header: BlockHeader, events: list[Event]) -> tuple[str, ...]:
    """Journal text, journal hash and state text after a block; or the type and text of an error."""
    try:
        done = machine.apply(header, events)
        check_all(machine.state)
    except Exception as error:  # any error must be the same in both builds
        return (type(error).__name__, str(error))
    return (done.text, done.hash, state_text(machine.state))


def send(value: object) -> None:
    pickle.dump(value, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
