"""The local settings that shape payouts. What they shape must not change under a payment on its way.

Two processes that pay from the same escrow accounts need the same policy: with another one they would build
other transactions for the same claim, and both could count. So its hash is kept (see `records`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Final

from settlement.core.parsing.amounts import read_decimal
from settlement.core.parsing.names import is_symbol
from settlement.core.venue import Venue

SLOT_SECONDS: Final = 15
"""Chain time is cut into slots of so many seconds: payments are planned for the beginning of one."""
SHORTEST_SECONDS: Final = 60
LONGEST_SECONDS: Final = 3600
"""Hive took no transaction that lives for longer before hardfork 28, and no payment needs to."""
DEFAULT_SECONDS: Final = 600
HOUR_SECONDS: Final = 3600
COMPOSITION: Final = 1
"""Grows with every change of `plan` that gives other bytes for the same rows."""
HISTORY_SECONDS: Final = 3 * LONGEST_SECONDS
"""How far back the rows reach that a plan may depend on: an attempt's life, and an hour or a life before."""


class PolicyError(ValueError):
    """A setting that cannot be used: what and why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`expires_in`: seconds from the beginning of a slot to the end of its transactions.

    `limits` and `hour_limits`: by symbol, the most that goes out without somebody's approval, in one payout
    and within an hour.
    """

    expires_in: int = DEFAULT_SECONDS
    limits: Mapping[str, Fraction] = field(default_factory=dict)
    hour_limits: Mapping[str, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not SHORTEST_SECONDS <= self.expires_in <= LONGEST_SECONDS:
            raise PolicyError(f"payouts must expire in {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds")

    @property
    def period(self) -> int:
        """Slots from one attempt to pay a claim to the next: the first has expired when the next begins."""
        return self.expires_in // SLOT_SECONDS + 2

    def text(self, venue: Venue) -> str:
        """All that shapes transactions, one fact a line: what operators who pay together must agree on."""
        lines = [
            f"peakedex-payouts {COMPOSITION}",
            f"venue {venue.hash}",
            f"slot {SLOT_SECONDS}",
            f"expires_in {self.expires_in}",
            *(f"limit {symbol} {most}" for symbol, most in sorted(self.limits.items())),
            *(f"hour_limit {symbol} {most}" for symbol, most in sorted(self.hour_limits.items())),
        ]
        return "\n".join(lines) + "\n"

    def hash(self, venue: Venue) -> str:
        """64 hex digits."""
        return sha256(self.text(venue).encode("ascii")).hexdigest()


def read_limits(texts: Iterable[str]) -> dict[str, Fraction]:
    """`PEK=1000` and so on. Raises PolicyError."""
    limits: dict[str, Fraction] = {}
    for text in texts:
        symbol, _, amount = text.partition("=")
        most = read_decimal(amount)
        if not is_symbol(symbol) or most is None:
            raise PolicyError(f"{text!r} is not a limit: write SYMBOL=AMOUNT, as PEK=1000")
        if symbol in limits:
            raise PolicyError(f"{symbol} has two limits: name it once")
        limits[symbol] = Fraction(most.mantissa, 10**most.places)
    return limits
