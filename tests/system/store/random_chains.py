"""Random chains of events for the store's tests: every policy, odd input, unmatched movements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from random import Random
from typing import Any

from sqlalchemy import Engine as Database

from settlement.core.events import BlockHeader, Event
from settlement.core.journal.state_text import state_hash
from settlement.core.parsing.amounts import show_units
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue, parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import Batch, totals_of
from tests.property.model.event_generator import EventGenerator
from tests.property.model.naive_model import NaiveModel
from tests.property.model.random_venues import header_after, random_venue
from tests.support import databases


@dataclass(frozen=True)
class RandomBlock:
    """A block, and the state lines of the naive model after it."""

    header: BlockHeader
    events: tuple[Event, ...]
    state: tuple[str, ...]


def with_text(venue: Venue) -> Venue:
    """The same venue, read from a file's text."""
    settings: list[tuple[str, dict[str, Any]]] = [
        (
            "[venue]",
            {
                "name": venue.name,
                "protocol": 2,
                "contract": venue.contract,
                "custom_json_id": venue.custom_json_id,
                "start_block": venue.start_block,
                "operator": venue.operator,
                "checkpoint_account": venue.checkpoint_account,
                "fee_account": venue.fee_account,
                "max_open_orders": venue.max_open_orders,
                "order_lifetime": venue.order_lifetime,
                "accept_flat_intents": venue.accept_flat_intents,
            },
        )
    ]
    for token in venue.tokens:
        minimum = show_units(token.min_withdrawal, token.precision)
        values = {"precision": token.precision, "escrow": token.escrow, "min_withdrawal": minimum}
        settings.append((f'[tokens."{token.symbol}"]', values))
    settings += [("[[pairs]]", asdict(pair)) for pair in venue.pairs]
    lines = [
        line
        for head, values in settings
        for line in (head, *(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    ]
    read = parse_venue("\n".join(lines))
    assert read.hash == venue.hash
    return read


@cache
def random_chain(seed: int, blocks: int = 60) -> tuple[Venue, tuple[RandomBlock, ...]]:
    """A venue and a chain for it. A third of the blocks have no events."""
    random = Random(seed)
    venue = with_text(random_venue(random))
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


def batch_of(rules: StateMachine, blocks: Sequence[RandomBlock], *, compared: bool = True) -> Batch:
    """Apply blocks and pack them for the projector; `compared`: with the hash of the whole state."""
    entries = [rules.apply(block.header, block.events) for block in blocks]
    state = rules.state
    return Batch(
        entries=[entry for entry in entries if entry.text],
        receipts=[],
        end=blocks[-1].header,
        totals=totals_of(state),
        state_hash=state_hash(state) if compared else None,
    )


def projected(
    seed: int, size: int, restart_every: int = 1_000, blocks: int = 60
) -> tuple[StateMachine, Database]:
    """A random chain in a new database, in batches, with a restart after every `restart_every` of them."""
    venue, made = random_chain(seed, blocks)
    database = open_writer(databases.fresh())
    rules, projector = load_or_initialise(database, venue)
    for number, at in enumerate(range(0, len(made), size), start=1):
        projector.project(batch_of(rules, made[at : at + size]))
        if number % restart_every == 0:
            rules, projector = load_or_initialise(database, venue)
    return rules, database
