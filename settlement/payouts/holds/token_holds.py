"""Token holds: tokens of which nothing is paid, judged by our own database.

A token that the operator listed on the chain waits for an approval on this machine; its escrow account is one
that the venue had before (protocol, section 9). A token of which the ledger holds less than is owed is not
paid until that is covered.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from sqlalchemy import Connection, select

from settlement.core.parsing.amounts import read_integer_text, show_units
from settlement.core.venue import Venue
from settlement.payouts.payout_log import PayoutStatus
from settlement.store import schema
from settlement.store.read.audit.solvency import read_ledger_balances
from settlement.store.read.payouts import WAITING_APPROVAL, WAITING_FUNDS
from settlement.store.read.venue import TokenRow

Holding = tuple[str, str, str]  # account, chain, symbol


def read_token_holds(
    connection: Connection, tokens: Iterable[TokenRow], venue: Venue, approved: frozenset[int]
) -> dict[tuple[str, str], PayoutStatus]:
    """Why nothing of a token is paid, by chain and symbol; only tokens that are held.

    `approved`: numbers of the tokens that the operator has approved.
    """
    in_file = {token.symbol for token in venue.tokens}
    solvency = {row.symbol: row for row in read_ledger_balances(connection)}
    holds: dict[tuple[str, str], PayoutStatus] = {}
    for token in tokens:
        row = solvency[token.symbol]
        liabilities = row.available + row.locked + row.withdrawing
        if row.holdings < liabilities:
            held, owed = (show_units(units, token.precision) for units in (row.holdings, liabilities))
            reason = f"the ledger holds {held} {token.symbol} and owes {owed}"
            holds[token.chain, token.symbol] = PayoutStatus(WAITING_FUNDS, reason, None)
        elif token.symbol not in in_file and token.id not in approved:
            reason = (
                f"{token.symbol} was listed later, in the escrow account {token.escrow}: approve the token"
            )
            holds[token.chain, token.symbol] = PayoutStatus(WAITING_APPROVAL, reason, None)
    return holds


def read_holdings(connection: Connection, tokens: Iterable[TokenRow]) -> dict[Holding, Fraction]:
    """What the ledger counts of each token in the token's own escrow account."""
    by_symbol = {token.symbol: token for token in tokens}
    return {
        (by_symbol[symbol].escrow, by_symbol[symbol].chain, symbol): Fraction(
            read_integer_text(units), 10 ** by_symbol[symbol].precision
        )
        for symbol, units in connection.execute(select(schema.holdings.c.symbol, schema.holdings.c.units))
    }
