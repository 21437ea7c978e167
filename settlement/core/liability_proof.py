"""Proof of liabilities: that what an account holds is counted in the total that the venue owes.

For each token a Merkle sum tree over (account, total), as docs/proof.md describes it: a leaf names its
account, a node commits to the totals of both its children, the root to the block and to the number of
leaves. Totals are integers of the token's smallest unit, positive and of at most 63 bits at every node.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final, NamedTuple

from settlement.core.parsing.amounts import MAX_UNITS

LEFT: Final = "left"
RIGHT: Final = "right"
EMPTY_TOP: Final = "0" * 64
"""The top of a tree without leaves."""

_HEADING: Final = "peakedex-proof 1"
_ROOTS_HEADING: Final = "peakedex-roots 1"
_HASH: Final = r"[0-9a-f]{64}"
_NUMBER: Final = r"0|[1-9][0-9]{0,18}"
_WORD: Final = r"[!-~]+"


class ProofError(ValueError):
    """Why something proves nothing, in one sentence."""


class Leaf(NamedTuple):
    """What one account holds: available, locked and withdrawing together. Its name as in the journal."""

    account: str
    total: int


class Node(NamedTuple):
    total: int
    hash: str


class Step(NamedTuple):
    """A node beside the way from a leaf to the top, and on which side of the way it stands."""

    side: str
    node: Node


class Inclusion(NamedTuple):
    """Where an account's leaf of one token stands, and the way from there to the root."""

    symbol: str
    leaves: int
    place: int
    total: int
    path: tuple[Step, ...]
    root: Node


class Proof(NamedTuple):
    """All that an account holds at the end of a block, tokens by symbol."""

    venue_hash: str
    block: int
    block_id: str
    account: str
    tokens: tuple[Inclusion, ...]


class TokenRoot(NamedTuple):
    """What is owed of a token by how many accounts, and the root that says so."""

    symbol: str
    leaves: int
    root: Node


class Roots(NamedTuple):
    """What is published at the end of a block: all that is owed, tokens by symbol."""

    venue_hash: str
    block: int
    block_id: str
    tokens: tuple[TokenRoot, ...]


def leaf_hash(venue_hash: str, symbol: str, leaf: Leaf) -> str:
    return _sha256(f"peakedex-leaf 1 {venue_hash} {symbol} {leaf.account} {leaf.total}\n")


def node_hash(left: Node, right: Node) -> str:
    return _sha256(f"peakedex-node 1 {left.total} {left.hash} {right.total} {right.hash}\n")


def root_hash(venue_hash: str, block: int, block_id: str, symbol: str, leaves: int, top: Node) -> str:
    """What is published of a token at a block: the one hash that two people compare."""
    return _sha256(
        f"peakedex-root 1 {venue_hash} {block} {block_id} {symbol} {leaves} {top.total} {top.hash}\n"
    )


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class Tree:
    """The tree of one token. It depends on balances alone: blocks that change none share it."""

    def __init__(self, venue_hash: str, symbol: str, leaves: Iterable[Leaf]) -> None:
        """Raises ProofError for leaves out of order, an account twice, or totals out of range."""
        self.venue_hash = venue_hash
        self.symbol = symbol
        self.leaves: Sequence[Leaf] = tuple(leaves)
        for one, other in pairwise(self.leaves):
            if one.account >= other.account:
                raise ProofError(f"the leaves are not sorted by account: {one.account}, then {other.account}")
        for leaf in self.leaves:
            _check_total(leaf.total)
        self._levels = [[Node(leaf.total, leaf_hash(venue_hash, symbol, leaf)) for leaf in self.leaves]]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    @property
    def top(self) -> Node:
        return self._levels[-1][0] if self.leaves else Node(0, EMPTY_TOP)

    def root(self, block: int, block_id: str) -> Node:
        """The total and the hash that are published at the end of a block."""
        top = self.top
        return Node(
            top.total, root_hash(self.venue_hash, block, block_id, self.symbol, len(self.leaves), top)
        )

    def prove(self, account: str, block: int, block_id: str) -> Inclusion | None:
        """The way of an account's leaf to the root; None where it holds nothing of this token."""
        place = bisect_left(self.leaves, account, key=lambda leaf: leaf.account)
        if place == len(self.leaves) or self.leaves[place].account != account:
            return None
        path = tuple(
            Step(side, self._levels[level][beside]) for level, side, beside in _way(place, len(self.leaves))
        )
        total, root = self.leaves[place].total, self.root(block, block_id)
        return Inclusion(self.symbol, len(self.leaves), place, total, path, root)


def _parents(level: list[Node]) -> list[Node]:
    """The level above: nodes in pairs; a last one without a partner goes up as it is."""
    parents = [_join(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return parents + level[len(parents) * 2 :]


def _join(left: Node, right: Node) -> Node:
    """The node above two. Raises ProofError where its total is beyond 63 bits."""
    return Node(_check_total(left.total + right.total), node_hash(left, right))


def _check_total(total: int) -> int:
    if not 0 < total <= MAX_UNITS:
        raise ProofError(f"a total must be from 1 to {MAX_UNITS}, not {total}")
    return total


def _way(place: int, leaves: int) -> Iterator[tuple[int, str, int]]:
    """What stands beside the way from a leaf to the top: the level (leaves: 0), the side, the place there."""
    level = 0
    while leaves > 1:
        beside = place ^ 1
        if beside < leaves:
            yield level, LEFT if beside < place else RIGHT, beside
        place, leaves, level = place // 2, (leaves + 1) // 2, level + 1


def check_proof(proof: Proof) -> None:
    """Raises ProofError unless every leaf leads to its root, with sums that hold at every node.

    What remains for people: to hold the totals against their own, and the roots against other people's.
    """
    for one, other in pairwise(proof.tokens):
        if one.symbol >= other.symbol:
            raise ProofError(f"the tokens are not sorted by symbol: {one.symbol}, then {other.symbol}")
    for token in proof.tokens:
        try:
            _check_inclusion(proof, token)
        except ProofError as error:
            raise ProofError(f"{token.symbol}: {error}") from error


def _check_inclusion(proof: Proof, token: Inclusion) -> None:
    if not 0 <= token.place < token.leaves <= MAX_UNITS:
        raise ProofError(f"there is no leaf {token.place} among {token.leaves}")
    sides = [side for _, side, _ in _way(token.place, token.leaves)]
    if [step.side for step in token.path] != sides:
        wanted = " ".join(sides) or "no step"
        raise ProofError(f"the way of leaf {token.place} of {token.leaves} must be: {wanted}")
    leaf = Leaf(proof.account, _check_total(token.total))
    node = Node(leaf.total, leaf_hash(proof.venue_hash, token.symbol, leaf))
    for side, beside in token.path:
        _check_total(beside.total)
        node = _join(beside, node) if side == LEFT else _join(node, beside)
    if node.total != token.root.total:
        raise ProofError(f"the totals add up to {node.total}, and the root says {token.root.total}")
    expected = root_hash(proof.venue_hash, proof.block, proof.block_id, token.symbol, token.leaves, node)
    if expected != token.root.hash:
        raise ProofError("the leaf does not lead to the root")


def roots_of(venue_hash: str, block: int, block_id: str, trees: Iterable[Tree]) -> Roots:
    """The roots of all trees of a state."""
    tokens = (TokenRoot(tree.symbol, len(tree.leaves), tree.root(block, block_id)) for tree in trees)
    return Roots(venue_hash, block, block_id, tuple(tokens))


def roots_text(roots: Roots) -> str:
    """Roots as text: what is published and compared."""
    lines = [_ROOTS_HEADING, f"venue {roots.venue_hash}", f"block {roots.block} {roots.block_id}"]
    lines += [f"root {symbol} {leaves} {root.total} {root.hash}" for symbol, leaves, root in roots.tokens]
    return "".join(f"{line}\n" for line in lines)


def proof_text(proof: Proof) -> str:
    """A proof as text: what is kept, passed on and checked."""
    return "".join(f"{line}\n" for line in _lines(proof))


def _lines(proof: Proof) -> Iterator[str]:
    yield _HEADING
    yield f"venue {proof.venue_hash}"
    yield f"block {proof.block} {proof.block_id}"
    yield f"account {proof.account}"
    for token in proof.tokens:
        yield f"token {token.symbol} {token.leaves}"
        yield f"leaf {token.place} {token.total}"
        for side, beside in token.path:
            yield f"{side} {beside.total} {beside.hash}"
        yield f"root {token.root.total} {token.root.hash}"


def read_proof(text: str) -> Proof:
    """The proof that a text holds, not checked yet. Raises ProofError with the number of the bad line."""
    lines = _Lines(text)
    lines.take(_HEADING)
    (venue_hash,) = lines.take("venue", _HASH)
    block, block_id = lines.take("block", _NUMBER, _WORD)
    (account,) = lines.take("account", _WORD)
    tokens = []
    while not lines.at_end():
        symbol, leaves = lines.take("token", _WORD, _NUMBER)
        place, total = lines.take("leaf", _NUMBER, _NUMBER)
        path = []
        while (side := lines.kind()) in (LEFT, RIGHT):
            beside, hash_ = lines.take(side, _NUMBER, _HASH)
            path.append(Step(side, Node(int(beside), hash_)))
        owed, hash_ = lines.take("root", _NUMBER, _HASH)
        root = Node(int(owed), hash_)
        tokens.append(Inclusion(symbol, int(leaves), int(place), int(total), tuple(path), root))
    return Proof(venue_hash, int(block), block_id, account, tuple(tokens))


class _Lines:
    """The lines of a text, taken one by one, each against what it must look like."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0

    def kind(self) -> str:
        """The first word of the next line."""
        return self._lines[self._at].split(" ", 1)[0]

    def at_end(self) -> bool:
        """After the last line's end; without one the text was cut off, and the next `take` says so."""
        return self._at == len(self._lines) - 1 and not self._lines[-1]

    def take(self, kind: str, *fields: str) -> tuple[str, ...]:
        """The fields of the next line."""
        pattern = " ".join((re.escape(kind), *(f"({field})" for field in fields)))
        line = self._lines[self._at]
        match = re.fullmatch(pattern, line)
        if match is None or self._at == len(self._lines) - 1:
            raise ProofError(
                f"line {self._at + 1} must be a whole line `{kind}` with {len(fields)} fields, "
                f"not {line[:80]!a}"
            )
        self._at += 1
        return match.groups()
