"""Chains at random, of events rather than blocks: every policy, odd input, money that nobody expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from settlement.core.events import BlockHeader, Event
from settlement.core.venue import Venue
from tests.property.model.chains import Chain, header_after, random_venue
from tests.property.model.naive import Naive


@dataclass(frozen=True)
class RandomBlock:
    """A block, and the lines of the state after it as the naive model has them."""

    header: BlockHeader
    events: tuple[Event, ...]
    state: tuple[str, ...]


@cache
def random_chain(seed: int, blocks: int = 60) -> tuple[Venue, tuple[RandomBlock, ...]]:
    """A venue and a chain for it. A third of its blocks hold nothing of ours, but what expires."""
    random = Random(seed)
    venue = random_venue(random)
    naive = Naive(venue)
    chain = Chain(naive)
    made = []
    header = header_after(None, 0)
    for n in range(blocks):
        naive.begin(header)
        events = chain.funding() if n == 0 else []
        for event in events:
            naive.take(event)
        for _ in range(random.choice((0, 1, 25))):
            event = chain.any_event(random)
            naive.take(event)
            events.append(event)
        naive.end()
        made.append(RandomBlock(header, tuple(events), tuple(naive.state_lines())))
        header = header_after(header, random.choice((0, 3, 3, 30, 3600)))
    return venue, tuple(made)
