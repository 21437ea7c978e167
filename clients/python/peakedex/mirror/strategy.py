"""What to quote: a pure function of the reference, the inventory, and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal, NamedTuple

from peakedex.client import InputError
from peakedex.client.models import PairRules

_BPS = Decimal(10_000)


class Reference(NamedTuple):
    """Best bid and ask of another market in the same pair."""

    bid: Decimal
    ask: Decimal

    @property
    def middle(self) -> Decimal:
        return (self.bid + self.ask) / 2


class Quote(NamedTuple):
    """An order to be in the book."""

    side: Literal["buy", "sell"]
    price: Decimal
    size: Decimal  # of base


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pair is quoted. Raises InputError."""

    size: Decimal  # of base, on each side
    target: Decimal  # base that it wants to hold
    limit: Decimal  # the most that what it holds may differ from the target
    spread_bps: int = 200  # between its bid and ask, if the reference's is not wider
    skew_bps: int = 100  # by which both quotes are lower at the upper limit, and higher at the lower one
    max_move_bps: int = 500  # a reference that moved further since the last round is not believed at once

    def __post_init__(self) -> None:
        if self.size <= 0 or self.limit <= 0 or self.target < 0:
            raise InputError("size, limit, target", "size and limit must be above zero, target at least zero")
        if not 1 <= self.spread_bps <= 5000:
            raise InputError("spread-bps", "must be 1 to 5000")
        if not 0 <= self.skew_bps <= 2000:
            raise InputError("skew-bps", "must be 0 to 2000")
        if self.max_move_bps < 1:
            raise InputError("max-move-bps", "must be at least 1")


def quotes(
    reference: Reference, held: Decimal, quote_held: Decimal, rules: PairRules, settings: Settings
) -> list[Quote]:
    """At most one bid and one ask.

    `held` is the base and `quote_held` the quote that the account has, orders included. A side that would
    leave the limits, or for which there are no funds, is smaller or missing.
    """
    middle = reference.middle
    off = max(Decimal(-1), min(Decimal(1), (held - settings.target) / settings.limit))
    half = max(settings.spread_bps / _BPS / 2 * middle, (reference.ask - reference.bid) / 2)
    centre = middle * (1 - off * settings.skew_bps / _BPS)
    bid = _step(centre - half, rules.tick, ROUND_FLOOR)
    ask = _step(centre + half, rules.tick, ROUND_CEILING)
    made: list[Quote] = []
    if bid > 0:
        room = min(settings.size, settings.target + settings.limit - held, quote_held / bid)
        made.append(Quote("buy", bid, _step(room, rules.lot, ROUND_FLOOR)))
    room = min(settings.size, held - (settings.target - settings.limit), held)
    made.append(Quote("sell", ask, _step(room, rules.lot, ROUND_FLOOR)))
    return [quote for quote in made if quote.size > 0]


def is_leap(before: Reference | None, now: Reference, settings: Settings) -> bool:
    """Whether the reference is crossed or moved too far to be believed at once."""
    if not 0 < now.bid < now.ask:
        return True
    if before is None:
        return False
    return abs(now.middle - before.middle) * _BPS > settings.max_move_bps * before.middle


def _step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step
