"""Token holds: tokens of which nothing is paid, judged by our own database.

A token that the operator listed on the chain waits for an approval on this machine, because its escrow
account could be anybody's. A token whose ledger holdings are below its liabilities is not paid until they
cover them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sqlalchemy import Connection, select

from settlement.core.parsing.amounts import show_units
from settlement.core.venue import Venue
from settlement.payouts.payout_log import APPROVED, TOKEN, PayoutStatus
from settlement.payouts.plan import ClaimRef
from settlement.store import schema
from settlement.store.read.audit.solvency import read_solvency
from settlement.store.read.payouts import WAITING_APPROVAL, WAITING_FUNDS
from settlement.store.read.venue import read_tokens

Holding = tuple[str, str, str]  # account, chain, symbol


def read_token_holds(
    connection: Connection, venue: Venue, decisions: Mapping[ClaimRef, int]
) -> dict[tuple[str, str], PayoutStatus]:
    """Why nothing of a token is paid, by chain and symbol; only tokens that are held."""
    in_file = {token.symbol for token in venue.tokens}
    solvency = {row.symbol: row for row in read_solvency(connection)}
    holds: dict[tuple[str, str], PayoutStatus] = {}
    for token in read_tokens(connection):
        row = solvency[token.symbol]
        liabilities = row.available + row.locked + row.withdrawing
        if row.holdings < liabilities:
            held, owed = (show_units(units, token.precision) for units in (row.holdings, liabilities))
            reason = f"the ledger holds {held} {token.symbol} and owes {owed}"
            holds[token.chain, token.symbol] = PayoutStatus(WAITING_FUNDS, reason, None)
        elif token.symbol not in in_file and decisions.get((TOKEN, token.id)) != APPROVED:
            reason = (
                f"{token.symbol} was listed later, with the escrow account {token.escrow}: approve the token"
            )
            holds[token.chain, token.symbol] = PayoutStatus(WAITING_APPROVAL, reason, None)
    return holds


def read_holdings(connection: Connection) -> dict[Holding, Fraction]:
    """What the ledger counts in the escrow accounts of listed tokens."""
    tokens = {token.symbol: token for token in read_tokens(connection)}
    return {
        (row.escrow, tokens[row.symbol].chain, row.symbol): Fraction(
            int(row.units), 10 ** tokens[row.symbol].precision
        )
        for row in connection.execute(select(schema.holdings))
        if row.symbol in tokens
    }
