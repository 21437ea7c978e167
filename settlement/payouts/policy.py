"""Payout policy: the local settings that shape payment transactions.

Processes that pay from the same escrow accounts must have the same policy: with different ones they would
build different transactions for the same claim, and both could be executed. So the policy's hash is recorded
(see `payout_log`).
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
"""Length of a slot. Chain time is divided into slots, and payments are planned as of the start of one."""
MIN_LIFETIME_SECONDS: Final = 60
MAX_LIFETIME_SECONDS: Final = 3000
"""Section 10 of the protocol. A withdrawal goes back 3,600 seconds after its return was asked for; by then
what was signed before has expired."""
DEFAULT_LIFETIME_SECONDS: Final = 600
HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400
COMPOSITION_VERSION: Final = 3
"""Incremented by every change of `plan` that builds other bytes from the same rows."""
HISTORY_SECONDS: Final = 3 * MAX_LIFETIME_SECONDS
"""Age of the oldest closed claims that a plan may depend on: a lifetime, and an hour or a lifetime before."""


class PolicyError(ValueError):
    """An invalid setting; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that shape transactions."""

    expires_in: int = DEFAULT_LIFETIME_SECONDS  # seconds from the start of a slot to its transactions' expiry
    limits: Mapping[str, Fraction] = field(
        default_factory=dict
    )  # largest payment without approval, by symbol
    hour_limits: Mapping[str, Fraction] = field(default_factory=dict)  # the same for all payments of an hour

    def __post_init__(self) -> None:
        if not MIN_LIFETIME_SECONDS <= self.expires_in <= MAX_LIFETIME_SECONDS:
            raise PolicyError(
                f"payout-expires-in must be {MIN_LIFETIME_SECONDS} to {MAX_LIFETIME_SECONDS} seconds"
            )

    @property
    def period(self) -> int:
        """Slots between two attempts to pay a claim: the first has expired when the second begins."""
        return self.expires_in // SLOT_SECONDS + 2

    @property
    def max_stride(self) -> int:
        """Turns between two attempts of a claim that was refused often: a power of two, up to a day."""
        turns = DAY_SECONDS // (self.period * SLOT_SECONDS)
        return 1 << (turns.bit_length() - 1)

    def text(self, venue: Venue) -> str:
        """Everything that shapes transactions, one fact a line: the same for operators who sign together."""
        lines = [
            f"peakedex-payouts {COMPOSITION_VERSION}",
            f"venue {venue.hash}",
            f"slot {SLOT_SECONDS}",
            f"expires_in {self.expires_in}",
            *(f"limit {symbol} {limit}" for symbol, limit in sorted(self.limits.items())),
            *(f"hour_limit {symbol} {limit}" for symbol, limit in sorted(self.hour_limits.items())),
        ]
        return "\n".join(lines) + "\n"

    def hash(self, venue: Venue) -> str:
        """SHA-256 of `text`, 64 hex digits."""
        return sha256(self.text(venue).encode("ascii")).hexdigest()


def read_limits(texts: Iterable[str]) -> dict[str, Fraction]:
    """Limits by symbol, from texts such as `PEK=1000`. Raises PolicyError."""
    limits: dict[str, Fraction] = {}
    for text in texts:
        symbol, _, amount = text.partition("=")
        if not is_symbol(symbol) or read_decimal(amount) is None:
            raise PolicyError(f"{text!r} is not a limit: write SYMBOL=AMOUNT, for example PEK=1000")
        if symbol in limits:
            raise PolicyError(f"two limits for {symbol}: give one")
        limits[symbol] = Fraction(amount)
    return limits
