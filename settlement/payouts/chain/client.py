"""Interface of the chain's clients, as payouts use them; tests replace it by a simulated chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from settlement.payouts.chain.accounts import Account
from settlement.payouts.chain.nodes import Execution, Outcome, Restrictions
from settlement.payouts.signing.transactions import SignedTransaction


class ChainClient(Protocol):
    """Both chains; the methods are those of `nodes.ChainNodes`. All but `broadcast` raise ChainError."""

    def head_time(self) -> int: ...

    def accounts(self, names: Iterable[str]) -> dict[str, Account]: ...

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]: ...

    def execution(self, transaction_id: str) -> Execution | None: ...

    def restrictions(self, accounts: Iterable[str]) -> Restrictions: ...

    def broadcast(self, signed: SignedTransaction) -> Outcome: ...
