"""How much at a time: what the chains take of one account, and what we can send before it expires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from settlement.payouts.payout_log import Record

PACE_SECONDS: Final = 9
"""By the chain's time, three blocks: within so many, an escrow account has no more than the next two."""
MOST_ACTIONS: Final = 19
MOST_CUSTOM_JSON: Final = 4
MOST_UNSENT: Final = 10
"""Payments of an account that may wait to be sent: no more are signed before they are."""
MOST_LACKING: Final = 200
"""The same for those that wait for signatures of others."""


class Room:
    """How many more payments an escrow account may have that are signed and not sent."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._unsent: Counter[str] = Counter()
        self._lacking: Counter[str] = Counter()
        for record in records:
            if not record.is_complete:
                self._lacking[record.escrow] += 1
            elif record.last_sent is None:
                self._unsent[record.escrow] += 1

    def take(self, escrow: str) -> bool:
        """Whether there is room for one more; it is taken."""
        if self._unsent[escrow] >= MOST_UNSENT or self._lacking[escrow] >= MOST_LACKING:
            return False
        self._unsent[escrow] += 1
        return True


class Pace:
    """How much an escrow account has in blocks that may be one block in the end.

    The sidechain runs 20 actions of an account in a block, and nodes take five custom_json of it.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = {record.n: record for record in records}

    def admits(self, record: Record, head: int) -> bool:
        """Whether it can go now."""
        if not _is_token(record):
            return True
        late = [
            other
            for other in self._records.values()
            if _is_token(other)
            and other.escrow == record.escrow
            and other.n != record.n
            and other.last_sent is not None
            and other.last_sent > head - PACE_SECONDS
        ]
        actions = sum(len(other.members) for other in (*late, record))
        return actions <= MOST_ACTIONS and len(late) < MOST_CUSTOM_JSON

    def sent(self, record: Record, head: int) -> None:
        """It went now."""
        self._records[record.n] = record._replace(last_sent=head)

    def last_sent(self, record: Record) -> int | None:
        """When it went last."""
        return self._records[record.n].last_sent


def _is_token(record: Record) -> bool:
    return record.transaction.operations[0][0] == "custom_json"
