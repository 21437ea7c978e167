"""Proof of liabilities: shows that a balance is counted in the total that the venue owes (docs/proof.md).

One Merkle sum tree per token over (account, total). A leaf commits to its account, a node to the totals of
both children, the root to the block and the number of leaves. Totals are units, from 1 to 2^63-1 at every
node.
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
"""Top hash of a tree without leaves."""

_HEADING: Final = "peakedex-proof 1"
_ROOTS_HEADING: Final = "peakedex-roots 1"
_HASH: Final = r"[0-9a-f]{64}"
_NUMBER: Final = r"0|[1-9][0-9]{0,18}"
_WORD: Final = r"[!-~]+"


class ProofError(ValueError):
    """An invalid proof or tree, with the reason."""


class Leaf(NamedTuple):
    """An account's total of one token."""

    account: str  # percent-encoded, as in the journal
    total: int  # available + locked + withdrawing


class Node(NamedTuple):
    """A node of a tree."""

    total: int
    hash: str


class Step(NamedTuple):
    """A sibling on the path from a leaf to the top."""

    side: str  # LEFT or RIGHT of the path
    node: Node


class Inclusion(NamedTuple):
    """Proof that an account's leaf of one token is in the tree."""

    symbol: str
    leaves: int  # number of leaves of the tree
    place: int  # index of the leaf, from 0
    total: int  # of the leaf
    path: tuple[Step, ...]  # siblings from the leaf to the top
    root: Node


class Proof(NamedTuple):
    """Inclusion proofs of all tokens of an account at the end of a block, by symbol."""

    venue_hash: str
    block: int
    block_id: str
    account: str
    tokens: tuple[Inclusion, ...]


class TokenRoot(NamedTuple):
    """Published root of one token."""

    symbol: str
    leaves: int  # number of accounts
    root: Node  # its total is all that is owed of the token


class Roots(NamedTuple):
    """Published roots of all tokens at the end of a block, by symbol."""

    venue_hash: str
    block: int
    block_id: str
    tokens: tuple[TokenRoot, ...]


def leaf_hash(venue_hash: str, symbol: str, leaf: Leaf) -> str:
    return _sha256(f"peakedex-leaf 1 {venue_hash} {symbol} {leaf.account} {leaf.total}\n")


def node_hash(left: Node, right: Node) -> str:
    return _sha256(f"peakedex-node 1 {left.total} {left.hash} {right.total} {right.hash}\n")


def root_hash(venue_hash: str, block: int, block_id: str, symbol: str, leaves: int, top: Node) -> str:
    """Root hash of a token at a block: the published value that users compare."""
    return _sha256(
        f"peakedex-root 1 {venue_hash} {block} {block_id} {symbol} {leaves} {top.total} {top.hash}\n"
    )


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class Tree:
    """Merkle sum tree of one token. It depends only on balances, so blocks that change none share it."""

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
        """Total and root hash at the end of a block."""
        top = self.top
        return Node(
            top.total, root_hash(self.venue_hash, block, block_id, self.symbol, len(self.leaves), top)
        )

    def prove(self, account: str, block: int, block_id: str) -> Inclusion | None:
        """Inclusion proof of an account; None where it has no leaf."""
        place = bisect_left(self.leaves, account, key=lambda leaf: leaf.account)
        if place == len(self.leaves) or self.leaves[place].account != account:
            return None
        path = tuple(
            Step(side, self._levels[level][beside])
            for level, side, beside in _siblings(place, len(self.leaves))
        )
        total, root = self.leaves[place].total, self.root(block, block_id)
        return Inclusion(self.symbol, len(self.leaves), place, total, path, root)


def _parents(level: list[Node]) -> list[Node]:
    """The level above: nodes in pairs; a last node without a sibling is promoted unchanged."""
    parents = [_join(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return parents + level[len(parents) * 2 :]


def _join(left: Node, right: Node) -> Node:
    """Parent of two nodes. Raises ProofError where its total exceeds 63 bits."""
    return Node(_check_total(left.total + right.total), node_hash(left, right))


def _check_total(total: int) -> int:
    if not 0 < total <= MAX_UNITS:
        raise ProofError(f"a total must be from 1 to {MAX_UNITS}, not {total}")
    return total


def _siblings(place: int, leaves: int) -> Iterator[tuple[int, str, int]]:
    """Siblings on the path from a leaf to the top: level (leaves: 0), side, index in the level."""
    level = 0
    while leaves > 1:
        beside = place ^ 1
        if beside < leaves:
            yield level, LEFT if beside < place else RIGHT, beside
        place, leaves, level = place // 2, (leaves + 1) // 2, level + 1


def check_proof(proof: Proof) -> None:
    """Raise ProofError unless every path leads to its root with correct sums.

    The user still has to compare the totals with their balances, and the roots with those that others see.
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
        raise ProofError(f"leaf {token.place} is out of range: the tree has {token.leaves} leaves")
    sides = [side for _, side, _ in _siblings(token.place, token.leaves)]
    if [step.side for step in token.path] != sides:
        expected_sides = " ".join(sides) or "none"
        raise ProofError(
            f"the path of leaf {token.place} of {token.leaves} must have the sides: {expected_sides}"
        )
    leaf = Leaf(proof.account, _check_total(token.total))
    node = Node(leaf.total, leaf_hash(proof.venue_hash, token.symbol, leaf))
    for side, beside in token.path:
        _check_total(beside.total)
        node = _join(beside, node) if side == LEFT else _join(node, beside)
    if node.total != token.root.total:
        raise ProofError(f"the totals add up to {node.total}, but the root says {token.root.total}")
    expected = root_hash(proof.venue_hash, proof.block, proof.block_id, token.symbol, token.leaves, node)
    if expected != token.root.hash:
        raise ProofError("the path does not lead to the root")


def roots_of(venue_hash: str, block: int, block_id: str, trees: Iterable[Tree]) -> Roots:
    """Roots of all trees of a state."""
    tokens = (TokenRoot(tree.symbol, len(tree.leaves), tree.root(block, block_id)) for tree in trees)
    return Roots(venue_hash, block, block_id, tuple(tokens))


def roots_text(roots: Roots) -> str:
    """Roots as text, for publication."""
    lines = [_ROOTS_HEADING, f"venue {roots.venue_hash}", f"block {roots.block} {roots.block_id}"]
    lines += [f"root {symbol} {leaves} {root.total} {root.hash}" for symbol, leaves, root in roots.tokens]
    return "".join(f"{line}\n" for line in lines)


def proof_text(proof: Proof) -> str:
    """A proof as text."""
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
    """Parse a proof without checking it. Raises ProofError with the number of the bad line."""
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
    """Line reader that checks the form of each line."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0

    def kind(self) -> str:
        """First word of the next line."""
        return self._lines[self._at].split(" ", 1)[0]

    def at_end(self) -> bool:
        """Whether all lines were taken.

        A text without a final LF was cut off, which the next `take` reports.
        """
        return self._at == len(self._lines) - 1 and not self._lines[-1]

    def take(self, kind: str, *fields: str) -> tuple[str, ...]:
        """Fields of the next line."""
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
