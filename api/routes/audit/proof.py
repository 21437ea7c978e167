"""/api/proof: proof that an account's balances are included in the liabilities (docs/proof.md)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from cachetools import LRUCache
from msgspec import Meta

from api.database import Snapshot
from api.http.parameters import BlockNumber, User
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, Hash, Part, choice
from settlement.core.liability_proof import LEFT, RIGHT, Inclusion, Leaf, Proof, Tree, leaf_hash, proof_text
from settlement.core.parsing.amounts import show_units
from settlement.store.read.audit.liabilities import MerkleSumTrees, read_root_block
from settlement.store.read.venue import read_tokens

MAX_STATES: Final = 4
"""States whose trees are cached."""

Units = Annotated[
    str, Meta(pattern="^[1-9][0-9]*$", description="The same in the token's smallest unit, as it is hashed.")
]
Leaves = Annotated[Count, Meta(description="Number of accounts with a balance of the token.")]
RootBlock = Annotated[Count, Meta(description="The active block included in the roots; 0 before the first.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofParameters:
    user: User
    block: BlockNumber | None = None


class ProofLeaf(Part, kw_only=True):
    """The account's leaf. `place` counts from 0."""

    place: Count
    account: str
    units: Units
    hash: Hash


class ProofStep(Part, kw_only=True):
    """A sibling node on the path to the root, and on which side it is."""

    side: Annotated[str, choice(LEFT, RIGHT)]
    total: Amount
    units: Units
    hash: Hash


class ProofRoot(Part, kw_only=True):
    """The root, which must be the same for everyone at this block."""

    total: Amount
    units: Units
    leaves: Leaves
    hash: Hash


class TokenProof(Part, kw_only=True):
    """The account's total of one token, and the Merkle path from its leaf to the root."""

    symbol: str
    total: Amount
    leaf: ProofLeaf
    path: list[ProofStep]
    root: ProofRoot


class AccountProof(Answer, kw_only=True):
    """Tokens by symbol. The roots include the newest active block."""

    user: str
    venue_hash: Hash
    root_block: RootBlock
    root_block_id: str
    tokens: list[TokenProof]
    text: Annotated[str, Meta(description="The same in the text format for the verifier.")]


class LiabilityTrees:
    """LRU cache of Merkle sum trees by journal hash: the state is the same until a line is added."""

    def __init__(self) -> None:
        self._states: LRUCache[str, MerkleSumTrees] = LRUCache(MAX_STATES)
        self._lock = threading.Lock()

    def read(self, snapshot: Snapshot, account: str | None = None) -> list[Tree]:
        """The trees that include an account, or all."""
        key = snapshot.journal_hash
        with self._lock:  # held while a tree is built, so that it is built once
            if key not in self._states:
                block = None if snapshot.block == snapshot.at.block else snapshot.block
                self._states[key] = MerkleSumTrees(snapshot.connection, snapshot.at.venue_hash, block)
            trees = self._states[key]
            return trees.all() if account is None else trees.of(account)


def proof_resource(liability_trees: LiabilityTrees) -> Resource[ProofParameters]:
    def view(snapshot: Snapshot, params: ProofParameters) -> AccountProof:
        number, block_id = read_root_block(snapshot.connection, snapshot.block)
        precisions = {token.symbol: token.precision for token in read_tokens(snapshot.connection)}
        trees = liability_trees.read(snapshot, params.user)
        found = tuple(filter(None, (tree.prove(params.user, number, block_id) for tree in trees)))
        proof = Proof(snapshot.at.venue_hash, number, block_id, params.user, found)
        return AccountProof(
            *snapshot.stamp,
            user=params.user,
            venue_hash=proof.venue_hash,
            root_block=number,
            root_block_id=block_id,
            tokens=[_token(proof, token, precisions[token.symbol]) for token in found],
            text=proof_text(proof),
        )

    return Resource(
        "/api/proof",
        ProofParameters,
        AccountProof,
        "Proof that an account's balances are included in the liabilities.",
        view,
        errors=("E_BLOCK",),
        group="Audit",
    )


def _token(proof: Proof, token: Inclusion, precision: int) -> TokenProof:
    fmt: Callable[[int], str] = partial(show_units, precision=precision)
    leaf = leaf_hash(proof.venue_hash, token.symbol, Leaf(proof.account, token.total))
    return TokenProof(
        symbol=token.symbol,
        total=fmt(token.total),
        leaf=ProofLeaf(place=token.place, account=proof.account, units=str(token.total), hash=leaf),
        path=[
            ProofStep(side=side, total=fmt(node.total), units=str(node.total), hash=node.hash)
            for side, node in token.path
        ],
        root=ProofRoot(
            total=fmt(token.root.total),
            units=str(token.root.total),
            leaves=token.leaves,
            hash=token.root.hash,
        ),
    )
