"""Renders events. Each part is encoded once, however many subscribers get it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import UNSET, Raw, UnsetType
from sqlalchemy import Connection

from api.http.errors import encode
from api.http.formatting import PairFormat, iso
from api.routes.accounts.balances import show_balance
from api.routes.accounts.deposits import show_deposit
from api.routes.accounts.orders import show_order
from api.routes.accounts.withdrawals import show_withdrawal
from api.routes.market.candles import show_candle
from api.routes.market.orderbook import Level as LevelView
from api.routes.market.orderbook import show_level
from api.stream import sse
from api.stream.account_changes import read_account_rows
from api.stream.candles import CurrentCandles
from api.stream.events import (
    AccountChange,
    AccountState,
    Book,
    BookChange,
    ChangeEvent,
    CurrentCandle,
    SnapshotEvent,
    Trades,
)
from api.stream.order_books import Level
from api.stream.recent_blocks import HASH_PREFIX, RecentBlock, RecentBlocks
from api.stream.topics import CandleTopic, Pair, Topics
from settlement.store import schema
from settlement.store.read.accounts.balances import BalanceRow, read_balances
from settlement.store.read.accounts.orders import OrderFilter, list_orders
from settlement.store.read.market.candles import INTERVALS
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.market.trades import list_trades
from settlement.store.read.position import ActiveBlock
from settlement.store.read.venue import find_account

DEPTH: Final = 1_000
"""Maximum of levels per side in a snapshot."""
TRADES: Final = 100
"""Maximum of trades per pair in a snapshot."""
OPEN_ORDERS: Final = 1_000
"""Maximum of open orders per account in a snapshot."""

Parts = dict[Any, Any]
"""Encoded parts of events, by kind and subject."""


def event_id(at: ActiveBlock) -> str:
    """Sequence number and journal hash prefix, from which a client can resume."""
    return f"{at.n}-{at.journal_hash[:HASH_PREFIX]}"


class Renderer:
    """Renders events for `recent`, which must be at the newest block of the connection's snapshot."""

    def __init__(self, recent: RecentBlocks) -> None:
        self.recent = recent
        self._now: Parts = {}

    def advanced(self) -> None:
        """Call it after `recent` has advanced: snapshots rendered before are outdated."""
        self._now = {}

    def snapshot(self, connection: Connection, topics: Topics) -> bytes:
        """The `snapshot` event for these topics."""
        if topics not in self._now:
            self._now[topics] = self._snapshot(connection, topics)
        return bytes(self._now[topics])

    def _snapshot(self, connection: Connection, topics: Topics) -> bytes:
        now, at, pairs = self._now, self.recent.at, self.recent.formats
        books = pairs if topics.books is None else topics.books
        trades = pairs if topics.trades is None else topics.trades
        event = SnapshotEvent(
            seq=at.n,
            block=at.number,
            ts=iso(at.timestamp) if at.n else None,
            journal_hash=at.journal_hash,
            books=_or_unset([_encode_once(now, ("book", pair), self._book, pair) for pair in books]),
            trades=_or_unset(
                [
                    _encode_once(now, ("newest_trades", pair), self._newest_trades, connection, pair)
                    for pair in trades
                ]
            ),
            candles=_or_unset(
                [
                    _encode_once(now, ("newest_candle", topic), self._newest_candle, topic)
                    for topic in topics.candles
                ]
            ),
            accounts=_or_unset(
                [
                    _encode_once(now, ("account", user), self._account, connection, user)
                    for user in topics.accounts
                ]
            ),
        )
        return sse.event("snapshot", encode(event), event_id(at))

    def _book(self, pair: Pair) -> Book:
        fmt, books = self.recent.formats[pair], self.recent.market.books
        sides = []
        for is_buy in (True, False):
            side = books.side(pair, is_buy)
            best = sorted(side, reverse=is_buy)[:DEPTH]
            sides.append([_level(fmt, price, side[price]) for price in best])
        complete = all(len(books.side(pair, is_buy)) <= DEPTH for is_buy in (True, False))
        return Book(base=pair.base, quote=pair.quote, bids=sides[0], asks=sides[1], complete=complete)

    def _newest_trades(self, connection: Connection, pair: Pair) -> Trades:
        fmt = self.recent.formats[pair]
        rows = list_trades(connection, fmt.row.id, None, TRADES).rows
        return Trades(base=pair.base, quote=pair.quote, trades=[fmt.trade(row) for row in rows])

    def _newest_candle(self, topic: CandleTopic) -> CurrentCandle:
        return self._candle(topic, self.recent.market.candles.of(topic.pair))

    def _account(self, connection: Connection, user: str) -> AccountState:
        account = find_account(connection, user)
        if account is None:
            return AccountState(user=user, balances=[], orders=[])
        open_orders = OrderFilter(account, None, schema.OPEN)
        orders = list_orders(connection, open_orders, None, OPEN_ORDERS).rows
        return AccountState(
            user=user,
            balances=[show_balance(row) for row in read_balances(connection, account)],
            orders=[show_order(row, self.recent.pairs) for row in orders],
        )

    def changes(self, connection: Connection, blocks: Iterable[RecentBlock], topics: Topics) -> bytes:
        """A `change` event for each of these blocks, limited to these topics."""
        return b"".join(self._change(connection, block, topics) for block in blocks)

    def _change(self, connection: Connection, block: RecentBlock, topics: Topics) -> bytes:
        past, changes, parts = block.past, block.changes, block.parts
        books = changes.levels if topics.books is None else [p for p in topics.books if p in changes.levels]
        trades = (
            changes.trades if topics.trades is None else [p for p in topics.trades if p in changes.trades]
        )
        candles = [topic for topic in topics.candles if topic.pair in changes.candles]
        accounts = self._changed_accounts(connection, block, topics.accounts)
        event = ChangeEvent(
            seq=past.n,
            prev=past.n - 1,
            block=past.number,
            ts=iso(past.timestamp),
            journal_hash=past.journal_hash,
            books=_or_unset(
                [_encode_once(parts, ("book_change", pair), self._book_change, block, pair) for pair in books]
            ),
            trades=_or_unset(
                [_encode_once(parts, ("new_trades", pair), self._new_trades, block, pair) for pair in trades]
            ),
            candles=_or_unset(
                [
                    _encode_once(parts, ("changed_candle", topic), self._changed_candle, block, topic)
                    for topic in candles
                ]
            ),
            accounts=_or_unset(
                [
                    _encode_once(parts, ("account_change", user), self._account_change, block, user)
                    for user in accounts
                ]
            ),
        )
        return sse.event("change", encode(event), event_id(past))

    def _book_change(self, block: RecentBlock, pair: Pair) -> BookChange:
        fmt, levels = self.recent.formats[pair], block.changes.levels[pair]
        bids, asks = (
            [_level(fmt, price, level) for (buys, price), level in sorted(levels.items()) if buys == is_buy]
            for is_buy in (True, False)
        )
        return BookChange(base=pair.base, quote=pair.quote, bids=bids[::-1], asks=asks)

    def _new_trades(self, block: RecentBlock, pair: Pair) -> Trades:
        fmt = self.recent.formats[pair]
        newest_first = reversed(block.changes.trades[pair])
        return Trades(base=pair.base, quote=pair.quote, trades=[fmt.trade(row) for row in newest_first])

    def _changed_candle(self, block: RecentBlock, topic: CandleTopic) -> CurrentCandle:
        return self._candle(topic, block.changes.candles[topic.pair])

    def _candle(self, topic: CandleTopic, latest: CurrentCandles) -> CurrentCandle:
        (base, quote), interval = topic
        row = latest.get(INTERVALS[interval])
        candle = None if row is None else show_candle(self.recent.formats[topic.pair], row)
        return CurrentCandle(base=base, quote=quote, interval=interval, candle=candle)

    def _account_change(self, block: RecentBlock, user: str) -> AccountChange:
        rows = block.rows
        assert rows is not None
        return AccountChange(
            user=user,
            balances=[show_balance(BalanceRow(*row[1:])) for row in rows.balances.get(user, ())],
            orders=[show_order(row, self.recent.pairs) for row in rows.orders.get(user, ())],
            deposits=[show_deposit(row) for row in rows.deposits.get(user, ())],
            withdrawals=[show_withdrawal(row) for row in rows.withdrawals.get(user, ())],
        )

    def _changed_accounts(
        self, connection: Connection, block: RecentBlock, users: Sequence[str]
    ) -> list[str]:
        """Those of the users whom the block changed."""
        if not users:
            return []
        if block.rows is None:
            block.rows = read_account_rows(connection, block.past, block.changes, self.recent.precisions)
        rows = block.rows
        return [user for user in users if rows.includes(user)]


def _level(fmt: PairFormat, price: int, level: Level) -> LevelView:
    return show_level(fmt, LevelRow(price, level.amount, level.orders))


def _encode_once(parts: Parts, key: object, make: Callable[..., object], *args: object) -> Any:
    """The encoded result of `make`, cached in `parts` under `key`."""
    raw = parts.get(key)
    if raw is None:
        raw = parts[key] = Raw(encode(make(*args)))
    return raw


def _or_unset(parts: list[Any]) -> list[Any] | UnsetType:
    """Empty lists are omitted from events."""
    return parts or UNSET
