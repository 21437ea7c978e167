"""Change sets: what each of the newest active blocks changed, for the live stream.

`settlement.store.write.change_set` writes them in a block's own transaction, while the indexer follows the
chain. Rows are those of the other read modules, as they were at the end of the block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema
from settlement.store.read.accounts.balances import BalanceRow
from settlement.store.read.accounts.deposits import DepositRow
from settlement.store.read.accounts.grants import GrantRow
from settlement.store.read.accounts.orders import OrderRow
from settlement.store.read.accounts.timers import TimerRow
from settlement.store.read.accounts.withdrawals import WithdrawalRow
from settlement.store.read.market.candles import CandleRow
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.market.trades import TradeRow
from settlement.store.read.position import ActiveBlock

CHANGE_SETS: Final = 1_000
"""Blocks whose change sets are kept."""


class PairChanges(NamedTuple):
    """What a block changed in a pair's market."""

    bids: list[LevelRow]  # no orders: the level is empty
    asks: list[LevelRow]
    trades: list[TradeRow]
    candles: dict[int, CandleRow]  # by interval in seconds; empty without trades


class AccountChanges(NamedTuple):
    """What a block changed of an account."""

    balances: list[BalanceRow]
    orders: list[OrderRow]  # and stops, also closed ones
    deposits: list[DepositRow]
    withdrawals: list[WithdrawalRow]
    grants: list[GrantRow] | None  # all that it has given and that are in force; None if none changed
    timers: list[TimerRow] | None  # all that are armed; None if none changed


class ChangeSet(NamedTuple):
    """What a block changed, in plain lists: rows are made of those that are asked for."""

    previous: str  # journal hash before the block
    rules: bool  # whether tokens, pairs or settings changed
    pairs: dict[str, list[Any]]  # fields of PairChanges by number of the pair
    accounts: dict[str, list[Any]]  # fields of AccountChanges by encoded name

    def write(self) -> str:
        return json.dumps(self, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> ChangeSet:
        return cls(*json.loads(text))

    def of_pair(self, pair_id: int) -> PairChanges | None:
        """The changes of a pair; None if there are none."""
        found = self.pairs.get(str(pair_id))
        if found is None:
            return None
        bids, asks, trades, candles = found
        return PairChanges(
            bids=[LevelRow(*row) for row in bids],
            asks=[LevelRow(*row) for row in asks],
            trades=[TradeRow(*row) for row in trades],
            candles={int(interval): CandleRow(*row) for interval, row in candles.items()},
        )

    def of_account(self, name: str) -> AccountChanges | None:
        """The changes of an account by its encoded name; None if there are none."""
        found = self.accounts.get(name)
        if found is None:
            return None
        balances, orders, deposits, withdrawals, grants, timers = found
        return AccountChanges(
            balances=[BalanceRow(*row) for row in balances],
            orders=[OrderRow(*row) for row in orders],
            deposits=[DepositRow(*row) for row in deposits],
            withdrawals=[WithdrawalRow(*row) for row in withdrawals],
            grants=None if grants is None else [GrantRow(*row) for row in grants],
            timers=None if timers is None else [TimerRow(*row) for row in timers],
        )


_b, _c = schema.blocks.c, schema.change_sets.c
_AFTER = (
    select(*(_b[name] for name in ActiveBlock._fields), _c.text)
    .join(schema.change_sets, (_c.block == _b.number) & (_c.n == _b.n))
    .where(_c.n > bindparam("n"))
    .order_by(_c.n.desc())
    .limit(CHANGE_SETS)
)


def read_change_sets(connection: Connection, n: int) -> Iterator[tuple[ActiveBlock, str]]:
    """The active blocks after the n-th that have a change set, with its text, newest first."""
    with connection.execute(_AFTER, {"n": n}) as rows:
        for *block, text in rows:
            yield ActiveBlock(*block), text
