"""/api/venue: whose exchange this is, and what a trader must know to write an intent for it."""

from __future__ import annotations

from api.database import Snapshot
from api.pairs import rules
from api.parameters import NoParameters
from api.resource import Body, Resource
from settlement.names import decode
from settlement.store.queries.venue import read_pairs, read_tokens, read_venue
from settlement.venue import parse_venue


def venue_resource(network: str) -> Resource[NoParameters]:
    def view(snapshot: Snapshot, _: NoParameters) -> Body:
        return {"network": network, **_venue(snapshot)}

    return Resource("/api/venue", NoParameters, view, "The venue: tokens, pairs, escrow accounts, hash.")


def _venue(snapshot: Snapshot) -> Body:
    row = read_venue(snapshot.connection)
    venue = parse_venue(row.text)
    return {
        "name": venue.name,
        "protocol": 1,
        "venue_hash": snapshot.at.venue_hash,
        "contract": venue.contract,
        "custom_json_id": venue.custom_json_id,
        "start_block": venue.start_block,
        "operator": venue.operator,
        "fee_account": decode(row.fee_account),
        "max_open_orders": row.max_open_orders,
        "order_lifetime": venue.order_lifetime,
        "accept_flat_intents": venue.accept_flat_intents,
        "tokens": [
            {
                "symbol": token.symbol,
                "precision": token.precision,
                "chain": token.chain,
                "escrow": token.escrow,
            }
            for token in read_tokens(snapshot.connection)
        ],
        "pairs": [rules(pair) for pair in read_pairs(snapshot.connection).values()],
    }
