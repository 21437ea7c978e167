"""Proof of liabilities: a Merkle sum tree of all balances for each token (docs/proof.md)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from settlement.core.liability_proof import Leaf, Tree
from settlement.store.read.accounts.balances import read_all_balances
from settlement.store.read.position import (
    Position,
    first_block_from,
    read_active_block,
    read_earliest_block,
)


class RootBlock(NamedTuple):
    """The block named in roots: the newest active one; 0 and `-` before the first."""

    number: int
    block_id: str


class MerkleSumTrees:
    """The trees of one state, each built on first use."""

    def __init__(self, connection: Connection, venue_hash: str, block: int | None) -> None:
        """Of the balances at the end of `block`; None: of the current ones."""
        self._venue_hash = venue_hash
        self._trees: dict[str, Tree] = {}
        self._totals: dict[str, dict[str, int]] = {}
        for row in read_all_balances(connection, block):
            total = row.available + row.locked + row.withdrawing
            self._totals.setdefault(row.symbol, {})[row.account] = total

    def of(self, account: str) -> list[Tree]:
        """The trees with a leaf of the account, by symbol."""
        return [self._tree(symbol) for symbol in sorted(self._totals) if account in self._totals[symbol]]

    def all(self) -> list[Tree]:
        """All trees, by symbol."""
        return [self._tree(symbol) for symbol in sorted(self._totals)]

    def _tree(self, symbol: str) -> Tree:
        if symbol not in self._trees:
            leaves = sorted(Leaf(*item) for item in self._totals[symbol].items())
            self._trees[symbol] = Tree(self._venue_hash, symbol, leaves)
        return self._trees[symbol]


def read_root_block(connection: Connection, block: int) -> RootBlock:
    """The block named in the roots at the end of `block`."""
    past = read_active_block(connection, block)
    return RootBlock(0, "-") if past is None else RootBlock(past.number, past.block_id)


def is_day_over(at: Position, day: date) -> bool:
    """Whether the chain's time has passed the end of a UTC day."""
    return at.timestamp is not None and at.timestamp >= _end_of(day)


def read_last_block(connection: Connection, at: Position, day: date) -> int:
    """The newest active block up to the end of a past UTC day; start_block - 1 if there is none."""
    past = read_active_block(connection, first_block_from(connection, at, _end_of(day)) - 1)
    return read_earliest_block(connection) if past is None else past.number


def _end_of(day: date) -> int:
    """The first second after a day, since 1970."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((midnight + timedelta(days=1)).timestamp())
