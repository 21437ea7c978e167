"""Reports for operators: status of pending claims, and reconciliation of the escrow accounts."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from settlement.core.journal.lines import iso_time
from settlement.core.parsing.amounts import read_integer_text, show_units
from settlement.core.parsing.names import decode
from settlement.payouts.chain.client import ChainClient
from settlement.payouts.holds.escrow_funds import real_amounts
from settlement.payouts.holds.pause import pause_reason
from settlement.payouts.holds.token_holds import read_holdings
from settlement.payouts.payout_log import read_settings
from settlement.store import payout_schema, schema
from settlement.store.lease import read_holder
from settlement.store.read.payouts import KINDS, PayoutClaim, read_ledger, read_payouts
from settlement.store.read.venue import read_tokens

MAX_OUTFLOWS: Final = 20
_OUTFLOWS = select(schema.outflows).order_by(schema.outflows.c.n.desc()).limit(MAX_OUTFLOWS)


class Difference(NamedTuple):
    """Balance of a token in its escrow account, in units of the token."""

    escrow: str
    symbol: str
    precision: int  # decimal places of a unit
    ledger: int  # according to the ledger
    real: int  # on the chain

    @property
    def surplus(self) -> int:
        """Real balance above the ledger's; negative where funds are missing."""
        return self.real - self.ledger

    def show(self, units: int) -> str:
        """Units as decimal text."""
        return show_units(units, self.precision)


def pending(connection: Connection) -> tuple[PayoutClaim, ...]:
    """The pending claims, oldest first."""
    ledger = read_ledger(connection, 0)
    return () if ledger is None else tuple(claim for claim in ledger.claims if claim.closed is None)


def status(connection: Connection) -> dict[str, object]:
    """Process, pause switch, pending claims (oldest first), and the newest unmatched outflows."""
    ledger, settings = read_ledger(connection, 0), read_settings(connection)
    holder = read_holder(connection, payout_schema.lease)
    held = ledger is not None and ledger.timestamp <= settings.hold_until
    return {
        "block": None if ledger is None else ledger.block,
        "ts": None if ledger is None else f"{iso_time(ledger.timestamp)}Z",
        "paused": settings.paused,
        "paused_reason": pause_reason(connection),
        "process": None if holder is None else str(holder),
        "hold_until": f"{iso_time(settings.hold_until)}Z" if held else None,
        "policy_hash": settings.policy_hash,
        "claims": _claims(connection),
        "unmatched_outflows": _outflows(connection),
    }


def _claims(connection: Connection) -> list[dict[str, object]]:
    """Pending claims. `return_due`: when a withdrawal goes back whose return was asked for."""
    claims = pending(connection)
    payouts = [
        read_payouts(connection, kind, [claim.n for claim in claims if claim.kind == kind])
        for kind in range(len(KINDS))
    ]
    rows: list[dict[str, object]] = []
    for claim in claims:
        payout = payouts[claim.kind][claim.n]
        rows.append(
            {
                "id": claim.id,
                "kind": KINDS[claim.kind],
                "account": claim.account,
                "symbol": claim.symbol,
                "amount": claim.quantity,
                "to": claim.to,
                "memo": claim.memo,
                "escrow": claim.escrow,
                "since": f"{iso_time(claim.opened)}Z",
                "state": payout.state,
                "reason": payout.reason,
                "transaction_ids": list(payout.transaction_ids),
                "signatures": payout.weight,
                "needed": payout.needed,
                "next_attempt": payout.next_attempt and f"{iso_time(payout.next_attempt)}Z",
                "return_due": claim.return_due and f"{iso_time(claim.return_due)}Z",
            }
        )
    return rows


def _outflows(connection: Connection) -> list[dict[str, object]]:
    precisions = {token.symbol: token.precision for token in read_tokens(connection)}
    return [
        {
            "id": row.id,
            "block": row.block,
            "escrow": row.escrow,
            "symbol": decode(row.symbol),
            "amount": _amount_text(row.amount, precisions.get(row.symbol, 0)),
            "to": decode(row.to),
        }
        for row in connection.execute(_OUTFLOWS)
    ]


def _amount_text(amount: str, precision: int) -> str:
    """Units as decimal text; a literal quantity, which begins with `=`, as it is."""
    if amount.startswith("="):
        return decode(amount[1:])
    return show_units(read_integer_text(amount), precision)


def reconcile(connection: Connection, chain: ChainClient) -> list[Difference]:
    """Compare the ledger's holdings with the escrow accounts' balances, by token. Raises ChainError."""
    tokens = {token.symbol: token for token in read_tokens(connection)}
    held = read_holdings(connection, tokens.values())
    real = real_amounts(held, chain)
    return [
        Difference(
            escrow,
            symbol,
            tokens[symbol].precision,
            *(int(some[escrow, network, symbol] * 10 ** tokens[symbol].precision) for some in (held, real)),
        )
        for escrow, network, symbol in sorted(held)
    ]
