"""Planned intents of the simulated traders, and what each trader remembers of those it signed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from indexer.devnet.hive.operations import Operation
from indexer.devnet.traders.payloads import Element, custom_json
from indexer.devnet.venue import VenueView
from settlement.core.venue import PairRules

MAX_REMEMBERED: Final = 32
"""Withdrawals that a trader remembers."""


@dataclass(slots=True)
class Trader:
    """A trader, and the ids and pairs of the orders and stops it believes to be open, oldest first."""

    name: str
    orders: deque[tuple[str, PairRules]] = field(default_factory=deque)
    withdrawals: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_REMEMBERED))
    grantees: list[str] = field(default_factory=list)  # whom it has given a grant: `posting`, or an account
    principals: list[Trader] = field(default_factory=list)  # who has given it a grant


@dataclass(frozen=True, slots=True)
class PlannedIntent:
    """A custom_json element to send, and its purpose."""

    kind: str  # one of KINDS
    element: Element
    rests: PairRules | None = None  # the pair, if the order may stay in the book under the element's id
    units: int = 0  # the amount of a withdrawal, else 0
    emptied: str | None = None  # the token of which it withdraws all
    active: bool = True  # signed with the active key, else with the posting key
    owner: Trader | None = None  # whose order it is, if another account's grant is used
    follow_up: str | None = None  # a kind of intent that the trader sends right after it


def operations_of(
    venue: VenueView, account: str, planned: Sequence[PlannedIntent]
) -> tuple[list[Operation], list[int]]:
    """The custom_json operations of one transaction, one for each key in turn, and their element counts."""
    groups = [list(group) for _, group in groupby(planned, key=lambda each: each.active)]
    operations: list[Operation] = [
        custom_json(venue, account, *(each.element for each in group), active=group[0].active)
        for group in groups
    ]
    return operations, [len(group) for group in groups]
