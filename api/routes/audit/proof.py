"""/api/proof: that what an account holds is counted in what the venue owes (docs/proof.md)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.http.parameters import BlockNumber, User
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, Hash, Part, choice
from settlement.core.liability_proof import LEFT, RIGHT, Inclusion, Leaf, Proof, Tree, leaf_hash, proof_text
from settlement.core.parsing.amounts import show_units
from settlement.store.read.audit.liabilities import Forest, read_root_block
from settlement.store.read.venue import read_tokens

KEPT_FORESTS: Final = 4

Units = Annotated[
    str, Meta(pattern="^[1-9][0-9]*$", description="The same in the token's smallest unit: what is hashed.")
]


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
    """A node beside the way to the top, and on which side of it."""

    side: Annotated[str, choice(LEFT, RIGHT)]
    total: Amount
    units: Units
    hash: Hash


class ProofRoot(Part, kw_only=True):
    """What everybody must see alike at this block."""

    total: Amount
    units: Units
    leaves: Annotated[Count, Meta(description="How many accounts hold any of the token.")]
    hash: Hash


class TokenProof(Part, kw_only=True):
    """The account's total of one token, and the way from its leaf, bottom up, to the root."""

    symbol: str
    total: Amount
    leaf: ProofLeaf
    path: list[ProofStep]
    root: ProofRoot


class AccountProof(Answer, kw_only=True):
    """Tokens by symbol. The roots name the newest block in which anything of ours happened."""

    user: str
    venue_hash: Hash
    root_block: Annotated[
        Count, Meta(description="The block that the roots name; 0 before anything happened.")
    ]
    root_block_id: str
    tokens: list[TokenProof]
    text: Annotated[str, Meta(description="The same as text: what is kept, passed on and checked.")]


class Forests:
    """Those of the states that were asked for last: a state is the same until a journal line is written."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Forest] = OrderedDict()
        self._lock = threading.Lock()

    def trees(self, snapshot: Snapshot, account: str | None = None) -> list[Tree]:
        """Those in which an account has a leaf, or all."""
        key = snapshot.journal_hash
        is_newest = snapshot.block == snapshot.at.block
        with self._lock:  # also while a tree grows: whoever else wants it would only grow it a second time
            if key not in self._kept:
                block = None if is_newest else snapshot.block
                self._kept[key] = Forest(snapshot.connection, snapshot.at.venue_hash, block)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_FORESTS:
                self._kept.popitem(last=False)
            forest = self._kept[key]
            return forest.all() if account is None else forest.of(account)


def proof_resource(forests: Forests) -> Resource[ProofParameters]:
    def view(snapshot: Snapshot, ask: ProofParameters) -> AccountProof:
        number, block_id = read_root_block(snapshot.connection, snapshot.block)
        precisions = {token.symbol: token.precision for token in read_tokens(snapshot.connection)}
        trees = forests.trees(snapshot, ask.user)
        found = tuple(filter(None, (tree.prove(ask.user, number, block_id) for tree in trees)))
        proof = Proof(snapshot.at.venue_hash, number, block_id, ask.user, found)
        return AccountProof(
            *snapshot.stamp,
            user=ask.user,
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
        "Proof that an account's balances are counted in what the venue owes.",
        view,
        errors=("E_BLOCK",),
        group="Audit",
    )


def _token(proof: Proof, token: Inclusion, precision: int) -> TokenProof:
    show: Callable[[int], str] = partial(show_units, precision=precision)
    hash_ = leaf_hash(proof.venue_hash, token.symbol, Leaf(proof.account, token.total))
    return TokenProof(
        symbol=token.symbol,
        total=show(token.total),
        leaf=ProofLeaf(place=token.place, account=proof.account, units=str(token.total), hash=hash_),
        path=[
            ProofStep(side=side, total=show(node.total), units=str(node.total), hash=node.hash)
            for side, node in token.path
        ],
        root=ProofRoot(
            total=show(token.root.total),
            units=str(token.root.total),
            leaves=token.leaves,
            hash=token.root.hash,
        ),
    )
