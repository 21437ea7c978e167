"""A stand-in for payouts, for the devnet alone: pays pending withdrawals so that they become `paid`.

Real payouts (planned, signed with escrow keys, sent once whatever happens, waited for) are a later piece
of work and share nothing with this: here operations need no signature, and what a crash forgets may be
paid twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from indexer.devnet.errors import ChainError
from indexer.devnet.intents import Element, custom_json, parse_units, token_transfer
from indexer.devnet.operations import MAX_JSON_BYTES, Coin, Operation, Transfer
from indexer.devnet.submit import Submit
from indexer.devnet.venue import VenueView

log = logging.getLogger(__name__)

# The sidechain runs 20 actions of an account in a block.
MOST_ACTIONS: Final = 10
COIN_PRECISION: Final = 3


@dataclass(frozen=True, slots=True)
class Payment:
    """A pending withdrawal, or a refund due.

    `quantity` is decimal text. `memo` is the trader's, None where there is none. `escrow` is given for a
    refund, which is paid from the account where the deposit lies; else it is the token's.
    """

    id: str
    symbol: str
    quantity: str
    to: str
    memo: str | None = None
    escrow: str | None = None

    def full_memo(self) -> str:
        """The memo by which the venue recognises the payment."""
        return self.memo if self.memo is not None else f"peakedex:{self.id}"


class Paymaster:
    """Pays what `pending` lists, each id once as long as it stays listed. Call `step` once a block."""

    def __init__(self, submit: Submit, venue: VenueView, pending: Callable[[], Iterable[Payment]]) -> None:
        self._submit = submit
        self._venue = venue
        self._pending = pending
        self._done: set[str] = set()

    def step(self) -> int:
        """Pay what is new, at most MOST_ACTIONS from an escrow account; gives how many were sent.

        A payment that the chain refuses (no such account, say) is logged and not tried again. Raises
        ConnectionError where the chain is away, and whatever `pending` raises.
        """
        payments = list(self._pending())
        # What is no longer pending will not come again: forget it.
        self._done &= {payment.id for payment in payments}
        by_escrow: dict[str, list[Payment]] = {}
        for payment in payments:
            if payment.id not in self._done:
                by_escrow.setdefault(self._escrow(payment), []).append(payment)
        return sum(self._pay(escrow, due[:MOST_ACTIONS]) for escrow, due in sorted(by_escrow.items()))

    def _escrow(self, payment: Payment) -> str:
        return payment.escrow or self._venue.tokens[payment.symbol].escrow

    def _is_native(self, payment: Payment) -> bool:
        token = self._venue.tokens.get(payment.symbol)
        return token is not None and token.chain == "hive"

    def _pay(self, escrow: str, payments: Sequence[Payment]) -> int:
        sent = 0
        tokens: list[tuple[Payment, Element]] = []
        for payment in payments:
            self._done.add(payment.id)
            if self._is_native(payment):
                mils = parse_units(payment.quantity, COIN_PRECISION)
                coin = Coin(mils, payment.symbol)
                sent += self._send(Transfer(escrow, payment.to, coin, payment.full_memo()), payment.id)
            else:
                element = token_transfer(payment.symbol, payment.to, payment.quantity, payment.full_memo())
                tokens.append((payment, element))
        for batch in self._batches(escrow, tokens):
            operation = custom_json(self._venue, escrow, *(element for _, element in batch))
            if self._send(operation, ", ".join(payment.id for payment, _ in batch)):
                sent += len(batch)
        return sent

    def _batches(
        self, escrow: str, tokens: Sequence[tuple[Payment, Element]]
    ) -> Iterable[Sequence[tuple[Payment, Element]]]:
        """Cut into lists whose custom_json stays within the chain's limit."""
        batch: list[tuple[Payment, Element]] = []
        for item in tokens:
            elements = [element for _, element in (*batch, item)]
            if batch and len(custom_json(self._venue, escrow, *elements).json.encode()) > MAX_JSON_BYTES:
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch

    def _send(self, operation: Operation, what: str) -> bool:
        try:
            self._submit.broadcast([operation])
        except ChainError as error:
            log.warning("cannot pay %s: %s", what, error)
            return False
        return True
