"""Change set of a block, for the live stream: written in the block's own transaction, after its rows.

The block's facts say what changed. Rows that tell more than the block does (who placed an order, and when)
are read back from the database, by their keys, with the queries that answer requests. The cost is that of
what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection, delete, insert

from settlement.core.accounts import ESCROW
from settlement.core.journal import lines
from settlement.core.parsing.names import chain_of
from settlement.store import schema
from settlement.store.read.accounts.balances import BalanceRow
from settlement.store.read.accounts.deposits import DepositRow, read_refunds
from settlement.store.read.accounts.grants import read_grants
from settlement.store.read.accounts.orders import read_orders
from settlement.store.read.accounts.timers import read_timers
from settlement.store.read.accounts.withdrawals import read_withdrawals
from settlement.store.read.market.candles import read_current_candles
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.market.trades import TradeRow
from settlement.store.read.stream import CHANGE_SETS, AccountChanges, ChangeSet, PairChanges
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.views import (
    GrantView,
    PairView,
    RefundView,
    TimerView,
    TokenView,
    WithdrawalView,
)

Row = TypeVar("Row")
_KEYS: Final = 500
"""Keys in one statement at most."""


def write_change_set(
    connection: Connection, ledger: Ledger, facts: BlockFacts, n: int, previous_hash: str
) -> None:
    """Add the change set of the n-th active block, whose rows must be written, and delete the oldest one."""
    changes = ChangeSet(
        previous=previous_hash,
        rules=facts.rules_changed,
        pairs={str(pair.number): list(row) for pair, row in _pairs(connection, facts)},
        accounts={name: list(row) for name, row in _accounts(connection, ledger, facts)},
    )
    table = schema.change_sets
    connection.execute(insert(table).values(n=n, block=facts.header.number, text=changes.write()))
    connection.execute(delete(table).where(table.c.n <= n - CHANGE_SETS))


# ---------------------------------------------------------------- markets


def _pairs(connection: Connection, facts: BlockFacts) -> Iterator[tuple[PairView, PairChanges]]:
    found: dict[PairView, PairChanges] = {}

    def of(pair: PairView) -> PairChanges:
        return found.setdefault(pair, PairChanges([], [], [], {}))

    for (pair, is_buy, price), before in facts.levels.items():
        units, orders = (pair.bids if is_buy else pair.asks).get(price, (0, 0))
        if (units, orders) != before:
            level = LevelRow(price=price, remaining=units, orders=orders)
            (of(pair).bids if is_buy else of(pair).asks).append(level)
    for row, taker_pair in _trades(facts):
        of(taker_pair).trades.append(row)
    for pair, changes in found.items():
        if changes.trades:
            changes.candles.update(read_current_candles(connection, pair.number, facts.header.timestamp))
    yield from found.items()


def _trades(facts: BlockFacts) -> Iterator[tuple[TradeRow, PairView]]:
    for line, taker, maker in facts.trades:
        row = TradeRow(
            n=line.n,
            block=facts.header.number,
            timestamp=facts.header.timestamp,
            taker_is_buy=taker.is_buy,
            price=line.price,
            quantity=line.quantity,
            quote_amount=line.quote_amount,
            buyer_fee=line.buyer_fee,
            seller_fee=line.seller_fee,
            taker_id=taker.id,
            maker_id=maker.id,
        )
        yield row, taker.pair


# ---------------------------------------------------------------- accounts


class _Changed:
    """Keys of the rows that a block changed."""

    def __init__(self, facts: BlockFacts) -> None:
        self.arrivals: list[DepositRow] = []  # credited or ignored
        self.refunds: dict[int, None] = {}
        self.withdrawals: dict[int, None] = {}
        self.grants: dict[str, None] = {grant.line.account: None for grant in facts.grants_used.values()}
        self.timers: dict[str, None] = {}
        for line, about in facts.others:
            match line, about:
                case lines.Deposit(), TokenView():
                    self.arrivals.append(_credited(line, about, facts))
                case lines.Ignore(), _:
                    self.arrivals.append(_ignored(line, facts))
                case _, RefundView():
                    self.refunds[about.n] = None
                case _, WithdrawalView():
                    self.withdrawals[about.n] = None
                case _, GrantView():
                    self.grants[about.line.account] = None
                case _, TimerView():
                    self.timers[about.line.account] = None


def _accounts(
    connection: Connection, ledger: Ledger, facts: BlockFacts
) -> Iterator[tuple[str, AccountChanges]]:
    """Changes by encoded name. Lists are newest first, like the answers to requests."""
    found: dict[str, AccountChanges] = {}

    def of(account: str) -> AccountChanges:
        return found.setdefault(account, AccountChanges([], [], [], [], None, None))

    for balance in facts.balances:
        token = balance.token.line
        row = BalanceRow(token.symbol, token.precision, *balance.buckets[:ESCROW])
        of(ledger.names[balance.account]).balances.append(row)
    for order in _read(read_orders, connection, facts.orders):
        of(order.account).orders.append(order)
    changed = _Changed(facts)
    for arrival in reversed(changed.arrivals):
        of(arrival.account).deposits.append(arrival)
    for refund in _read(read_refunds, connection, changed.refunds):
        of(refund.account).deposits.append(refund)
    for withdrawal in _read(read_withdrawals, connection, changed.withdrawals):
        of(withdrawal.account).withdrawals.append(withdrawal)
    now = facts.header.timestamp
    for name in changed.grants:
        found[name] = of(name)._replace(grants=read_grants(connection, ledger.number_of(name), now))
    for name in changed.timers:
        found[name] = of(name)._replace(timers=read_timers(connection, ledger.number_of(name), now))
    yield from found.items()


def _credited(line: lines.Deposit, token: TokenView, facts: BlockFacts) -> DepositRow:
    return DepositRow(
        n=0,  # paging key, not shown
        id=line.id,
        account=line.account,
        symbol=line.symbol,
        precision=token.line.precision,
        amount=line.amount,
        escrow=line.escrow,
        chain=chain_of(line.symbol),
        block=facts.header.number,
        timestamp=facts.header.timestamp,
    )


def _ignored(line: lines.Ignore, facts: BlockFacts) -> DepositRow:
    return DepositRow(
        n=0,
        id=line.id,
        account=line.account,
        symbol=line.symbol,
        quantity=line.quantity,
        escrow=line.escrow,
        chain=line.chain,
        block=facts.header.number,
        timestamp=facts.header.timestamp,
    )


def _read(
    read: Callable[[Connection, Sequence[int]], list[Row]], connection: Connection, keys: Iterable[int]
) -> Iterator[Row]:
    """The rows with these keys, newest first."""
    newest_first = sorted(keys, reverse=True)
    for first in range(0, len(newest_first), _KEYS):
        yield from read(connection, newest_first[first : first + _KEYS])
