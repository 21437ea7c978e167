"""Random chains of events for the store's tests: every policy, odd input, unmatched movements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from settlement.core.events import BlockHeader, Event
from settlement.core.venue import Venue
from tests.property.model.event_generator import EventGenerator, header_after, random_venue
from tests.property.model.naive_model import NaiveModel


@dataclass(frozen=True)
class RandomBlock:
    """A block, and the state lines of the naive model after it."""

    header: BlockHeader
    events: tuple[Event, ...]
    state: tuple[str, ...]


@cache
def random_chain(seed: int, blocks: int = 60) -> tuple[Venue, tuple[RandomBlock, ...]]:
    """A venue and a chain for it. A third of the blocks have no events."""
    random = Random(seed)
    venue = random_venue(random)
    model = NaiveModel(venue)
    generator = EventGenerator(model)
    made = []
    header = header_after(None, 0)
    for n in range(blocks):
        model.begin_block(header)
        events = generator.funding() if n == 0 else []
        for event in events:
            model.apply_event(event)
        for _ in range(random.choice((0, 1, 25))):
            event = generator.any_event(random)
            model.apply_event(event)
            events.append(event)
        model.end_block()
        made.append(RandomBlock(header, tuple(events), tuple(model.state_lines())))
        header = header_after(header, random.choice((0, 3, 3, 30, 3600)))
    return venue, tuple(made)
