"""Events in bytes. Each part is encoded once, however many listeners get it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import UNSET, Raw, UnsetType
from sqlalchemy import Connection

from api.http.errors import encode
from api.http.formatting import PairShow, iso
from api.routes.accounts.balances import show_balance
from api.routes.accounts.deposits import show_deposit
from api.routes.accounts.orders import show_order
from api.routes.accounts.withdrawals import show_withdrawal
from api.routes.market.candles import show_candle
from api.routes.market.orderbook import Level as ShownLevel
from api.routes.market.orderbook import show_level
from api.stream import sse
from api.stream.accounts import read_account_rows
from api.stream.books import Level
from api.stream.candles import Latest
from api.stream.recent_blocks import MARK, Entry, History
from api.stream.shapes import (
    AccountChange,
    AccountNow,
    Book,
    BookChange,
    ChangeEvent,
    GrowingCandle,
    SnapshotEvent,
    Trades,
)
from api.stream.topics import CandleTopic, Pair, Topics
from settlement.store import schema
from settlement.store.read.accounts.balances import BalanceRow, read_balances
from settlement.store.read.accounts.orders import OrderFilter, list_orders
from settlement.store.read.market.candles import INTERVALS
from settlement.store.read.market.order_book import LevelRow
from settlement.store.read.market.trades import list_trades
from settlement.store.read.position import Past
from settlement.store.read.venue import find_account

DEPTH: Final = 1_000
"""Levels a side in a snapshot at most."""
TRADES: Final = 100
"""Trades of a pair in a snapshot at most."""
OPEN_ORDERS: Final = 1_000
"""Open orders of an account in a snapshot at most."""

Parts = dict[Any, Any]
"""What is encoded already, by what it is."""


def event_id(at: Past) -> str:
    """What a listener that comes back names: the sequence, and a mark of the journal."""
    return f"{at.n}-{at.journal_hash[:MARK]}"


class Renderer:
    """Writes the events of one history, which stands at the newest block of the connection's snapshot."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._now: Parts = {}

    def moved(self) -> None:
        """The history went on: what was said of its newest block is no longer so."""
        self._now = {}

    def snapshot(self, connection: Connection, topics: Topics) -> bytes:
        """How all that was asked for stands."""
        if topics not in self._now:
            self._now[topics] = self._snapshot(connection, topics)
        return bytes(self._now[topics])

    def _snapshot(self, connection: Connection, topics: Topics) -> bytes:
        now, at, pairs = self._now, self.history.at, self.history.shows
        books = pairs if topics.books is None else topics.books
        trades = pairs if topics.trades is None else topics.trades
        event = SnapshotEvent(
            seq=at.n,
            block=at.number,
            ts=iso(at.timestamp) if at.n else None,
            journal_hash=at.journal_hash,
            books=_asked([_once(now, ("book", pair), self._book, pair) for pair in books]),
            trades=_asked(
                [
                    _once(now, ("newest_trades", pair), self._newest_trades, connection, pair)
                    for pair in trades
                ]
            ),
            candles=_asked(
                [_once(now, ("newest_candle", topic), self._newest_candle, topic) for topic in topics.candles]
            ),
            accounts=_asked(
                [_once(now, ("account", user), self._account, connection, user) for user in topics.accounts]
            ),
        )
        return sse.event("snapshot", encode(event), event_id(at))

    def _book(self, pair: Pair) -> Book:
        show, books = self.history.shows[pair], self.history.market.books
        sides = []
        for is_buy in (True, False):
            side = books.side(pair, is_buy)
            best = sorted(side, reverse=is_buy)[:DEPTH]
            sides.append([_level(show, price, side[price]) for price in best])
        complete = all(len(books.side(pair, is_buy)) <= DEPTH for is_buy in (True, False))
        return Book(base=pair.base, quote=pair.quote, bids=sides[0], asks=sides[1], complete=complete)

    def _newest_trades(self, connection: Connection, pair: Pair) -> Trades:
        show = self.history.shows[pair]
        rows = list_trades(connection, show.row.id, None, TRADES).rows
        return Trades(base=pair.base, quote=pair.quote, trades=[show.trade(row) for row in rows])

    def _newest_candle(self, topic: CandleTopic) -> GrowingCandle:
        return self._candle(topic, self.history.market.candles.of(topic.pair))

    def _account(self, connection: Connection, user: str) -> AccountNow:
        account = find_account(connection, user)
        if account is None:
            return AccountNow(user=user, balances=[], orders=[])
        open_orders = OrderFilter(account, None, schema.OPEN)
        orders = list_orders(connection, open_orders, None, OPEN_ORDERS).rows
        return AccountNow(
            user=user,
            balances=[show_balance(row) for row in read_balances(connection, account)],
            orders=[show_order(row, self.history.pairs) for row in orders],
        )

    def changes(self, connection: Connection, entries: Iterable[Entry], topics: Topics) -> bytes:
        """What each of these blocks changed of what was asked for."""
        return b"".join(self._change(connection, entry, topics) for entry in entries)

    def _change(self, connection: Connection, entry: Entry, topics: Topics) -> bytes:
        past, facts, parts = entry.past, entry.facts, entry.parts
        books = facts.levels if topics.books is None else [p for p in topics.books if p in facts.levels]
        trades = facts.trades if topics.trades is None else [p for p in topics.trades if p in facts.trades]
        candles = [topic for topic in topics.candles if topic.pair in facts.candles]
        accounts = self._concerned(connection, entry, topics.accounts)
        event = ChangeEvent(
            seq=past.n,
            prev=past.n - 1,
            block=past.number,
            ts=iso(past.timestamp),
            journal_hash=past.journal_hash,
            books=_asked(
                [_once(parts, ("book_change", pair), self._book_change, entry, pair) for pair in books]
            ),
            trades=_asked(
                [_once(parts, ("new_trades", pair), self._new_trades, entry, pair) for pair in trades]
            ),
            candles=_asked(
                [_once(parts, ("grown_candle", topic), self._grown_candle, entry, topic) for topic in candles]
            ),
            accounts=_asked(
                [
                    _once(parts, ("account_change", user), self._account_change, entry, user)
                    for user in accounts
                ]
            ),
        )
        return sse.event("change", encode(event), event_id(past))

    def _book_change(self, entry: Entry, pair: Pair) -> BookChange:
        show, levels = self.history.shows[pair], entry.facts.levels[pair]
        bids, asks = (
            [_level(show, price, level) for (buys, price), level in sorted(levels.items()) if buys == is_buy]
            for is_buy in (True, False)
        )
        return BookChange(base=pair.base, quote=pair.quote, bids=bids[::-1], asks=asks)

    def _new_trades(self, entry: Entry, pair: Pair) -> Trades:
        show = self.history.shows[pair]
        newest_first = reversed(entry.facts.trades[pair])
        return Trades(base=pair.base, quote=pair.quote, trades=[show.trade(row) for row in newest_first])

    def _grown_candle(self, entry: Entry, topic: CandleTopic) -> GrowingCandle:
        return self._candle(topic, entry.facts.candles[topic.pair])

    def _candle(self, topic: CandleTopic, latest: Latest) -> GrowingCandle:
        (base, quote), interval = topic
        row = latest.get(INTERVALS[interval])
        candle = None if row is None else show_candle(self.history.shows[topic.pair], row)
        return GrowingCandle(base=base, quote=quote, interval=interval, candle=candle)

    def _account_change(self, entry: Entry, user: str) -> AccountChange:
        rows = entry.rows
        assert rows is not None
        return AccountChange(
            user=user,
            balances=[show_balance(BalanceRow(*row[1:])) for row in rows.balances.get(user, ())],
            orders=[show_order(row, self.history.pairs) for row in rows.orders.get(user, ())],
            deposits=[show_deposit(row) for row in rows.deposits.get(user, ())],
            withdrawals=[show_withdrawal(row) for row in rows.withdrawals.get(user, ())],
        )

    def _concerned(self, connection: Connection, entry: Entry, users: Sequence[str]) -> list[str]:
        """Those of them of whom the block changed anything."""
        if not users:
            return []
        if entry.rows is None:
            entry.rows = read_account_rows(connection, entry.past, entry.facts, self.history.precisions)
        rows = entry.rows
        return [user for user in users if rows.concern(user)]


def _level(show: PairShow, price: int, level: Level) -> ShownLevel:
    return show_level(show, LevelRow(price, level.amount, level.orders))


def _once(parts: Parts, about: object, make: Callable[..., object], *args: object) -> Any:
    """What `make` gives, encoded: now, or when it was first asked for."""
    raw = parts.get(about)
    if raw is None:
        raw = parts[about] = Raw(encode(make(*args)))
    return raw


def _asked(parts: list[Any]) -> list[Any] | UnsetType:
    """Nothing of a kind is left out."""
    return parts or UNSET
