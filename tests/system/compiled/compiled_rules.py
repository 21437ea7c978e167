"""What runs in a process with the compiled rules, for test_compiled.py: golden journals, then blocks from stdin.

They come as pickles: the policies of a venue's pairs begin a new engine, a block is its header and events. The answer is
what an auditor would compare, or the error.
"""

from __future__ import annotations

import pickle
import sys

from indexer.rules_build import rules_are_compiled
from settlement.core.events import BlockHeader, Event
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from tests.property.model.event_generator import make_venue
from tests.scenarios.golden import golden


def main() -> int:
    if not rules_are_compiled():
        print("the rules of this process are not compiled", file=sys.stderr)
        return 1
    answer({seed: golden.make(seed) for seed in golden.SEEDS})
    engine: StateMachine | None = None
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)
        except EOFError:
            return 0
        kind, *rest = asked
        if kind == "venue":
            engine = StateMachine(make_venue(*rest))
            continue
        assert engine is not None
        answer(outcome(engine, *rest))


def outcome(engine: StateMachine, header: BlockHeader, events: list[Event]) -> tuple[str, ...]:
    """Journal text, its hash, and the state's text after a block; the kind and text of an error."""
    try:
        done = engine.apply(header, events)
        check_all(engine.state)
    except Exception as error:
        return (type(error).__name__, str(error))
    return (done.text, done.journal_hash, state_text(engine.state))


def answer(value: object) -> None:
    pickle.dump(value, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
