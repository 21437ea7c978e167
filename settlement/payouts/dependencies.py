"""Dependencies of the payout loop: databases, chain and keys, so that tests can replace each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Engine

from settlement.payouts.chain import Account, Outcome
from settlement.payouts.signing import SignedTransaction, Transaction

STEPS: Final = (
    *("start", "hold", "held"),
    *("read", "selected", "sign", "signed", "record", "recorded"),
    *("send", "sent", "answered", "status", "status written"),
)
"""Names of the points, in this order, between which a crash may separate two effects of a payout round."""


class Chain(Protocol):
    """The nodes (`chain.ChainNodes`). All but `broadcast` may raise ChainError."""

    def head_time(self) -> int: ...
    def accounts(self, names: Iterable[str]) -> Mapping[str, Account]: ...
    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> Mapping[tuple[str, str], str]: ...
    def broadcast(self, signed: SignedTransaction) -> Outcome: ...


class Signer(Protocol):
    """Our keys (`authority.KeyRing`), and the authorities that they count for."""

    def can_sign(self, escrow: str) -> bool: ...
    def sign(self, escrow: str, transaction: Transaction) -> Mapping[str, str]: ...
    def sufficient(self, escrow: str, signatures: Mapping[str, str]) -> tuple[str, ...] | None: ...
    def weight(self, escrow: str, publics: Collection[str]) -> tuple[int, int]: ...


class Dependencies(NamedTuple):
    """What a payout loop works with."""

    reader: Engine  # may be read-only
    writer: Engine  # from `payout_log.open_payout_log`
    chain: Chain
    signer: Signer
    guard: Callable[[], object] = lambda: None  # raises where another process has taken over
    refresh: Callable[[], object] = lambda: None  # compares keys with the chain
    step: Callable[[str], object] = lambda _: None  # called with each of STEPS
