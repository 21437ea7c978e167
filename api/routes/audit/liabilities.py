"""/api/liabilities: total liabilities and Merkle root of each token (docs/proof.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import bad_input, not_found
from api.http.parameters import BlockNumber, Day
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Hash, Part
from api.routes.audit.proof import Leaves, LiabilityTrees, RootBlock, Units
from settlement.core.liability_proof import TokenRoot, roots_of, roots_text
from settlement.core.parsing.amounts import show_units
from settlement.store.read.audit.liabilities import is_day_over, read_last_block, read_root_block
from settlement.store.read.venue import read_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class LiabilitiesParameters:
    block: BlockNumber | None = None
    day: Day | None = None


class TokenLiabilities(Part, kw_only=True):
    """Sum of all balances of a token, and the root of its Merkle sum tree."""

    symbol: str
    total: Amount
    units: Units
    leaves: Leaves
    hash: Hash


class Liabilities(Answer, kw_only=True):
    """Tokens with balances, by symbol. The roots include the newest active block."""

    venue_hash: Hash
    root_block: RootBlock
    root_block_id: str
    tokens: list[TokenLiabilities]
    text: Annotated[str, Meta(description="The same in the text format for publishing.")]


def liabilities_resource(trees: LiabilityTrees) -> Resource[LiabilitiesParameters]:
    def view(tip: Snapshot, params: LiabilitiesParameters) -> Liabilities:
        snapshot = tip if params.day is None else _at_end_of(tip, params)
        connection, venue_hash = snapshot.connection, snapshot.at.venue_hash
        precisions = {token.symbol: token.precision for token in read_tokens(connection)}
        roots = roots_of(venue_hash, *read_root_block(connection, snapshot.block), trees.read(snapshot))
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
        "Total liabilities by token, with the roots of all proofs.",
        view,
        errors=("E_BLOCK",),
        group="Audit",
    )


def _at_end_of(snapshot: Snapshot, params: LiabilitiesParameters) -> Snapshot:
    """The snapshot as of the newest active block up to the end of a day that is over."""
    assert params.day is not None
    if params.block is not None:
        raise bad_input("give either block or day.")
    day = date.fromisoformat(params.day)
    if not is_day_over(snapshot.at, day):
        raise not_found(f"The day {day} is not over on the chain yet.", "E_BLOCK")
    return snapshot.past(read_last_block(snapshot.connection, snapshot.at, day))


def _token(token: TokenRoot, precision: int) -> TokenLiabilities:
    return TokenLiabilities(
        symbol=token.symbol,
        total=show_units(token.root.total, precision),
        units=str(token.root.total),
        leaves=token.leaves,
        hash=token.root.hash,
    )
