"""What the escrow accounts really hold, and what of it is not spoken for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import read_quantity
from settlement.core.parsing.names import NATIVE_PRECISION
from settlement.payouts.approvals import View
from settlement.payouts.chain import Account, Outcome
from settlement.payouts.plan import Payment, amount
from settlement.payouts.signing import Signed
from settlement.store.read.payouts import Claim

Place = tuple[str, str, str]  # account, chain, symbol


class Chain(Protocol):
    """What the loop asks of nodes (`chain.Nodes`). Each may raise ChainError, but for a broadcast."""

    def head_time(self) -> int: ...
    def accounts(self, names: Iterable[str]) -> Mapping[str, Account]: ...
    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> Mapping[tuple[str, str], str]: ...
    def broadcast(self, signed: Signed) -> Outcome: ...


def place_of(claim: Claim) -> Place:
    """Where a claim's payment comes from."""
    return (claim.escrow, claim.chain, claim.symbol)


def real_amounts(places: Iterable[Place], chain: Chain) -> dict[Place, Fraction]:
    """What these accounts hold on the chains, 0 where there is nothing. Raises ChainError."""
    wanted = set(places)
    coins = {escrow for escrow, network, _ in wanted if network == HIVE}
    tokens = [(escrow, symbol) for escrow, network, symbol in wanted if network != HIVE]
    real: dict[Place, Fraction] = {}
    for name, account in (chain.accounts(coins) if coins else {}).items():
        for symbol, mils in account.mils.items():
            real[name, HIVE, symbol] = Fraction(mils, 10**NATIVE_PRECISION)
    if tokens:
        for (name, symbol), text in chain.balances(*zip(*tokens, strict=True)).items():
            real[name, HIVE_ENGINE, symbol] = units_of(text)
    return {place: real.get(place, Fraction()) for place in wanted}


def free_amounts(payments: Sequence[Payment], view: View, chain: Chain) -> dict[Place, Fraction]:
    """What the accounts really hold, less what signed transactions may take."""
    free = real_amounts((place_of(payment.members[0]) for payment in payments), chain)
    for record in view.live_records():
        for ref in record.members:
            claim = view.pending.get(ref)
            if claim is not None and place_of(claim) in free:
                free[place_of(claim)] -= amount(claim)
    return free


def units_of(text: str) -> Fraction:
    """A balance as the sidechain writes it; 0 for what is none."""
    quantity = read_quantity(text)
    if quantity is None or not quantity.digits:
        return Fraction()
    return int(quantity.digits) * Fraction(10) ** quantity.exponent
