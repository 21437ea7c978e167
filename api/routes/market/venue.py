"""/api/venue: tokens, pairs, fees, escrow accounts and other rules of the venue."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Block, Count, Hash, Part, choice
from api.routes.market.pairs import PairRules, rules
from settlement.core.events import HIVE, HIVE_ENGINE
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import decode
from settlement.core.venue import PROTOCOL, parse_venue
from settlement.store.read.venue import read_pairs, read_tokens, read_venue


class Token(Part, kw_only=True):
    """A listed token. `escrow`: the account that receives its deposits."""

    symbol: str
    precision: Count
    chain: Annotated[str, choice(HIVE, HIVE_ENGINE)]
    escrow: str
    min_withdrawal: Amount


class Venue(Answer, kw_only=True):
    network: str
    name: str
    protocol: int
    venue_hash: Hash
    contract: str
    custom_json_id: str
    start_block: Block
    operator: str
    checkpoint_account: Annotated[str, Meta(description="May sign checkpoints, as the operator may.")]
    fee_account: str
    escrows: Annotated[list[str], Meta(description="The escrow accounts, sorted; they never change.")]
    max_open_orders: Count
    order_lifetime: Count
    accept_flat_intents: bool
    tokens: list[Token]
    pairs: list[PairRules]


def venue_resource(network: str) -> Resource[NoParameters]:
    def view(snapshot: Snapshot, _: NoParameters) -> Venue:
        return _venue(snapshot, network)

    return Resource(
        "/api/venue",
        NoParameters,
        Venue,
        "The venue: tokens, pairs, escrow accounts, rules and venue hash.",
        view,
    )


def _venue(snapshot: Snapshot, network: str) -> Venue:
    row = read_venue(snapshot.connection)
    venue = parse_venue(row.text)
    return Venue(
        *snapshot.stamp,
        network=network,
        name=venue.name,
        protocol=PROTOCOL,
        venue_hash=snapshot.at.venue_hash,
        contract=venue.contract,
        custom_json_id=venue.custom_json_id,
        start_block=venue.start_block,
        operator=venue.operator,
        checkpoint_account=venue.checkpoint_account,
        fee_account=decode(row.fee_account),
        escrows=sorted(venue.escrows),
        max_open_orders=row.max_open_orders,
        order_lifetime=venue.order_lifetime,
        accept_flat_intents=venue.accept_flat_intents,
        tokens=[
            Token(
                symbol=token.symbol,
                precision=token.precision,
                chain=token.chain,
                escrow=token.escrow,
                min_withdrawal=show_units(token.min_withdrawal, token.precision),
            )
            for token in read_tokens(snapshot.connection)
        ],
        pairs=[rules(pair) for pair in read_pairs(snapshot.connection).values()],
    )
