"""/api/liabilities: what is owed of each token, and the root that all must see alike (docs/proof.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import bad_input, not_found
from api.http.parameters import BlockNumber, Day
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, Hash, Part
from api.routes.audit.proof import Forests, Units
from settlement.core.liability_proof import TokenRoot, roots_of, roots_text
from settlement.core.parsing.amounts import show_units
from settlement.store.read.audit.liabilities import is_over, read_last_block, read_root_block
from settlement.store.read.venue import read_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class LiabilitiesParameters:
    block: BlockNumber | None = None
    day: Day | None = None


class TokenLiabilities(Part, kw_only=True):
    """What all accounts hold of a token together, and the root of its tree."""

    symbol: str
    total: Amount
    units: Units
    leaves: Annotated[Count, Meta(description="How many accounts hold any of the token.")]
    hash: Hash


class Liabilities(Answer, kw_only=True):
    """Tokens by symbol, those that anybody holds. The roots name the newest block of ours."""

    venue_hash: Hash
    root_block: Annotated[
        Count, Meta(description="The block that the roots name; 0 before anything happened.")
    ]
    root_block_id: str
    tokens: list[TokenLiabilities]
    text: Annotated[str, Meta(description="The same as text: what is kept, published and compared.")]


def liabilities_resource(forests: Forests) -> Resource[LiabilitiesParameters]:
    def view(tip: Snapshot, ask: LiabilitiesParameters) -> Liabilities:
        snapshot = tip if ask.day is None else _at_end_of(tip, ask)
        connection, venue_hash = snapshot.connection, snapshot.at.venue_hash
        precisions = {token.symbol: token.precision for token in read_tokens(connection)}
        roots = roots_of(venue_hash, *read_root_block(connection, snapshot.block), forests.trees(snapshot))
        return Liabilities(
            *snapshot.stamp,
            venue_hash=venue_hash,
            root_block=roots.block,
            root_block_id=roots.block_id,
            tokens=[_token(token, precisions[token.symbol]) for token in roots.tokens],
            text=roots_text(roots),
        )

    return Resource(
        "/api/liabilities",
        LiabilitiesParameters,
        Liabilities,
        "All that is owed, with the roots that proofs lead to.",
        view,
        errors=("E_BLOCK",),
        group="Audit",
    )


def _at_end_of(snapshot: Snapshot, ask: LiabilitiesParameters) -> Snapshot:
    """The newest block of ours of a day that is over, or before it."""
    assert ask.day is not None
    if ask.block is not None:
        raise bad_input("block and day exclude each other: give one of them.")
    day = date.fromisoformat(ask.day)
    if not is_over(snapshot.at, day):
        raise not_found(
            f"The day {day} is not over on the chain: the newest block is of it, or before.", "E_BLOCK"
        )
    return snapshot.past(read_last_block(snapshot.connection, snapshot.at, day))


def _token(token: TokenRoot, precision: int) -> TokenLiabilities:
    return TokenLiabilities(
        symbol=token.symbol,
        total=show_units(token.root.total, precision),
        units=str(token.root.total),
        leaves=token.leaves,
        hash=token.root.hash,
    )
