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
from api.parameters import BlockNumber, User
from api.resource import Resource
from api.shapes import Amount, Answer, Count, Hash, Part, choice
from settlement.amounts import show_units
from settlement.proof import LEFT, RIGHT, Inclusion, Leaf, Proof, Tree, leaf_hash, proof_text
from settlement.store.queries.balances import read_all_balances
from settlement.store.queries.position import read_past
from settlement.store.queries.venue import read_tokens

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


class Forest:
    """The trees of one state, each grown when somebody who holds its token first asks."""

    def __init__(self, snapshot: Snapshot, block: int | None) -> None:
        self._venue_hash = snapshot.at.venue_hash
        self._trees: dict[str, Tree] = {}
        self._totals: dict[str, dict[str, int]] = {}
        for row in read_all_balances(snapshot.connection, block):
            total = row.available + row.locked + row.withdrawing
            self._totals.setdefault(row.symbol, {})[row.account] = total

    def of(self, account: str) -> list[Tree]:
        """The trees in which an account has a leaf, by symbol."""
        return [self._tree(symbol) for symbol in sorted(self._totals) if account in self._totals[symbol]]

    def _tree(self, symbol: str) -> Tree:
        if symbol not in self._trees:
            leaves = sorted(Leaf(*item) for item in self._totals[symbol].items())
            self._trees[symbol] = Tree(self._venue_hash, symbol, leaves)
        return self._trees[symbol]


class Forests:
    """Those of the states that were asked for last: a state is the same until a journal line is written."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Forest] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, snapshot: Snapshot, block: int | None, account: str) -> list[Tree]:
        key = snapshot.journal_hash
        with self._lock:  # also while a tree grows: whoever else wants it would only grow it a second time
            if key not in self._kept:
                self._kept[key] = Forest(snapshot, block)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_FORESTS:
                self._kept.popitem(last=False)
            return self._kept[key].of(account)


def proof_resource() -> Resource[ProofParameters]:
    forests = Forests()

    def view(snapshot: Snapshot, ask: ProofParameters) -> AccountProof:
        past = read_past(snapshot.connection, snapshot.block)
        number, block_id = (0, "-") if past is None else (past.number, past.block_id)
        precisions = {token.symbol: token.precision for token in read_tokens(snapshot.connection)}
        trees = forests.of(snapshot, ask.block, ask.user)
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
