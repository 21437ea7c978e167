"""Escrow funds: real balances of the escrow accounts, and what signed payments leave of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import read_integer_text, read_quantity
from settlement.core.parsing.names import NATIVE_PRECISION
from settlement.payouts.chain.client import ChainClient
from settlement.payouts.holds.eligibility import LedgerView
from settlement.payouts.holds.token_holds import Holding
from settlement.payouts.plan import Payment, amount
from settlement.store.read.payouts import PayoutClaim


def holding_of(claim: PayoutClaim) -> Holding:
    """The holding that pays a claim."""
    return (claim.escrow, claim.chain, claim.symbol)


def real_amounts(holdings: Iterable[Holding], chain: ChainClient) -> dict[Holding, Fraction]:
    """Balances of the holdings on the chains, 0 where there is none. Raises ChainError."""
    requested = set(holdings)
    coins = {escrow for escrow, network, _ in requested if network == HIVE}
    tokens = [(escrow, symbol) for escrow, network, symbol in requested if network != HIVE]
    real: dict[Holding, Fraction] = {}
    for name, account in (chain.accounts(coins) if coins else {}).items():
        for symbol, mils in account.mils.items():
            real[name, HIVE, symbol] = Fraction(mils, 10**NATIVE_PRECISION)
    if tokens:
        for (name, symbol), text in chain.balances(*zip(*tokens, strict=True)).items():
            real[name, HIVE_ENGINE, symbol] = parse_balance(text)
    return {holding: real.get(holding, Fraction()) for holding in requested}


class Funds(NamedTuple):
    """Balances that payments draw on."""

    free: dict[Holding, Fraction]  # less what signed transactions may still take
    missing: dict[
        Holding, str
    ]  # why nothing is paid from a holding, where the ledger counts more than is there


def free_amounts(payments: Sequence[Payment], view: LedgerView, chain: ChainClient) -> Funds:
    """Balances that the payments draw on. Raises ChainError."""
    real = real_amounts((holding_of(payment.members[0]) for payment in payments), chain)
    free = dict(real)
    for record in view.live_records():
        for ref in record.members:
            claim = view.pending.get(ref)
            if claim is not None and holding_of(claim) in free:
                free[holding_of(claim)] -= amount(claim)
    missing = {}
    for holding, held in real.items():
        escrow, _, symbol = holding
        # What was signed and is not settled may have left the account already.
        least = view.holdings.get(holding, Fraction()) - (held - free[holding])
        if held < least:
            missing[holding] = (
                f"{escrow} holds {_text(held)} {symbol}, the ledger counts {_text(view.holdings[holding])}"
            )
    return Funds(free, missing)


def _text(amount: Fraction) -> str:
    """A decimal fraction without trailing zeros."""
    return f"{Decimal(amount.numerator) / Decimal(amount.denominator):f}"


def parse_balance(text: str) -> Fraction:
    """A balance as the sidechain writes it; 0 for text that is not one."""
    quantity = read_quantity(text)
    if quantity is None or not quantity.digits:
        return Fraction()
    return read_integer_text(quantity.digits) * Fraction(10) ** quantity.exponent
