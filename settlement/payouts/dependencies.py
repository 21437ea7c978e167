"""Dependencies of the payout loop: databases, chain and keys, so that tests can replace each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import Engine

from settlement.payouts.chain.client import ChainClient
from settlement.payouts.holds.pause import RestoreMark
from settlement.payouts.signing.authority import KeyRing
from settlement.store.read.payouts import is_paused

STEPS: Final = (
    *("start", "hold", "held"),
    *("read", "selected", "sign", "signed", "record", "recorded"),
    *("send", "sent", "answered", "status", "status written"),
)
"""Names of the points, in this order, between which a crash may separate two effects of a payout round."""


class Dependencies(NamedTuple):
    """What a payout loop works with."""

    reader: Engine  # may be read-only
    writer: Engine  # from `payout_log.open_payout_log`
    chain: ChainClient
    keys: KeyRing
    guard: Callable[[], object] = lambda: None  # raises where another process has taken over
    refresh: Callable[[], object] = lambda: None  # compares keys with the chain
    step: Callable[[str], object] = lambda _: None  # called with each of STEPS
    mark: RestoreMark | None = None  # notices a restored database; None: nothing does

    def is_paused(self) -> bool:
        """Whether payouts are paused now: a round may take long, and a pause holds from its first moment."""
        with self.reader.connect() as connection:
            return is_paused(connection)
