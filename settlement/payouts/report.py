"""What people ask of payouts: how it is with each claim, and whether the accounts hold what they should."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from settlement.amounts import show_units
from settlement.events import HIVE
from settlement.names import NATIVE_PRECISION, decode
from settlement.payouts.chain import Nodes
from settlement.payouts.funds import units_of
from settlement.payouts.records import GIVEN_BACK, read_decisions, read_records, read_settings
from settlement.payouts.signing import iso_time
from settlement.store import schema
from settlement.store.lease import read_holder
from settlement.store.queries.payouts import KINDS, Claim, read_ledger, read_payouts
from settlement.venue import Venue, parse_venue

NEWEST_OUTFLOWS: Final = 20


class Difference(NamedTuple):
    """One token in one escrow account: what the ledger says, and what there really is, in its units."""

    escrow: str
    symbol: str
    precision: int
    ledger: int
    real: int

    @property
    def surplus(self) -> int:
        """What is there beside what the ledger counts; below 0 where something is missing."""
        return self.real - self.ledger

    def show(self, units: int) -> str:
        return show_units(units, self.precision)


def pending(connection: Connection) -> tuple[Claim, ...]:
    """The claims that are pending, oldest first."""
    ledger = read_ledger(connection, 0)
    return () if ledger is None else tuple(claim for claim in ledger.claims if claim.closed is None)


def live_transactions(connection: Connection, claim: Claim) -> list[str]:
    """The ids of signed transactions that may pay the claim yet."""
    now = connection.scalar(select(schema.cursor.c.timestamp)) or 0
    return [
        record.id
        for record in read_records(connection)
        if record.expires >= now and claim.ref in record.members
    ]


def return_operation(venue: Venue, claim: Claim) -> list[object]:
    """What the operator signs so that a withdrawal goes back to its account (protocol, section 8)."""
    action = {
        "contractName": venue.contract,
        "contractAction": "returnWithdrawal",
        "contractPayload": {"id": claim.id},
    }
    return [
        "custom_json",
        {
            "required_auths": [venue.operator],
            "required_posting_auths": [],
            "id": venue.custom_json_id,
            "json": json.dumps(action, separators=(",", ":")),
        },
    ]


def status(connection: Connection) -> dict[str, object]:
    """The switch, who works on it, and every pending claim, oldest first; with the newest outflows that no
    claim explains."""
    ledger, settings = read_ledger(connection, 0), read_settings(connection)
    holder = read_holder(connection, schema.payout_lease)
    held = ledger is not None and ledger.timestamp <= settings.hold_until
    return {
        "block": None if ledger is None else ledger.block,
        "ts": None if ledger is None else f"{iso_time(ledger.timestamp)}Z",
        "paused": settings.paused,
        "process": None if holder is None else str(holder),
        "hold_until": f"{iso_time(settings.hold_until)}Z" if held else None,
        "policy_hash": settings.policy_hash,
        "claims": _claims(connection),
        "unmatched_outflows": _outflows(connection),
    }


def _claims(connection: Connection) -> list[dict[str, object]]:
    """`return` is what the operator signs, of a withdrawal that is stopped for that; else None."""
    claims, decisions = pending(connection), read_decisions(connection)
    text = connection.scalar(select(schema.cursor.c.venue_text))
    venue = None if text is None else parse_venue(text)
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
                "return": return_operation(venue, claim)
                if venue is not None and decisions.get(claim.ref) == GIVEN_BACK
                else None,
            }
        )
    return rows


def _outflows(connection: Connection) -> list[dict[str, object]]:
    o = schema.outflows.c
    query = select(schema.outflows).order_by(o.n.desc()).limit(NEWEST_OUTFLOWS)
    return [
        {
            "id": row.id,
            "block": row.block,
            "escrow": row.escrow,
            "symbol": decode(row.symbol),
            "quantity": decode(row.quantity),
            "to": decode(row.to),
        }
        for row in connection.execute(query)
    ]


def reconcile(connection: Connection, nodes: Nodes) -> list[Difference]:
    """Each token in each escrow account, by account and symbol. Raises ChainError."""
    t = schema.tokens.c
    tokens = {row.symbol: row for row in connection.execute(select(t.symbol, t.precision, t.chain, t.escrow))}
    held = {(row.escrow, row.symbol): int(row.units) for row in connection.execute(select(schema.holdings))}
    places = sorted({place for place in held if place[1] in tokens})
    coins = {escrow for escrow, symbol in places if tokens[symbol].chain == HIVE}
    others = [place for place in places if tokens[place[1]].chain != HIVE]
    real: dict[tuple[str, str], Fraction] = {}
    for name, account in (nodes.accounts(coins) if coins else {}).items():
        for symbol, mils in account.mils.items():
            real[name, symbol] = Fraction(mils, 10**NATIVE_PRECISION)
    if others:
        names, symbols = zip(*others, strict=True)
        found = nodes.balances(names, symbols)
        real |= {place: units_of(found[place]) for place in others if place in found}
    return [
        Difference(
            escrow,
            symbol,
            tokens[symbol].precision,
            held[escrow, symbol],
            int(real.get((escrow, symbol), 0) * 10 ** tokens[symbol].precision),
        )
        for escrow, symbol in places
    ]
