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
from api.routes.accounts.grants import show_grant
from api.routes.accounts.orders import show_order
from api.routes.accounts.timers import show_timer
from api.routes.accounts.withdrawals import show_withdrawal
from api.routes.market.candles import show_candle
from api.routes.market.orderbook import show_level
from api.stream import sse
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
from api.stream.recent_blocks import HASH_PREFIX, RecentBlock, RecentBlocks
from api.stream.topics import CandleTopic, Pair, Topics
from settlement.store import schema
from settlement.store.read.accounts.balances import read_balances
from settlement.store.read.accounts.grants import read_grants
from settlement.store.read.accounts.orders import OrderFilter, list_orders
from settlement.store.read.accounts.timers import read_timers
from settlement.store.read.market.candles import INTERVALS, CandleRow, read_candles
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.market.trades import list_trades
from settlement.store.read.position import ActiveBlock
from settlement.store.read.stream import PairChanges
from settlement.store.read.venue import find_account, read_pairs, read_tokens

DEPTH: Final = 1_000
"""Maximum of levels per side in a snapshot."""
TRADES: Final = 100
"""Maximum of trades per pair in a snapshot."""
OPEN_ORDERS: Final = 1_000
"""Maximum of open orders, and of stops, per account in a snapshot."""

MAX_CACHED: Final = 32 << 20
"""Bytes of snapshots that are kept for the next subscriber with the same topics."""

Parts = dict[Any, Any]
"""Encoded parts of events, by kind and subject."""


def event_id(at: ActiveBlock) -> str:
    """Sequence number and journal hash prefix, from which a client can resume."""
    return f"{at.n}-{at.journal_hash[:HASH_PREFIX]}"


class Renderer:
    """Renders events for `recent`, which must be at the newest block of the connection's snapshot."""

    def __init__(self, recent: RecentBlocks, connection: Connection) -> None:
        self.recent = recent
        self._now: Parts = {}  # snapshots of the newest block, and their parts
        self._cached = 0  # bytes of these snapshots
        self._read_pairs(connection)

    def _read_pairs(self, connection: Connection) -> None:
        self._pairs = read_pairs(connection)
        self._precisions = {token.symbol: token.precision for token in read_tokens(connection)}
        self.formats = {Pair(row.base, row.quote): PairFormat(row) for row in self._pairs.values()}

    def advance(self, blocks: Sequence[RecentBlock], connection: Connection) -> None:
        """Call it after `recent` has advanced by these blocks: snapshots rendered before are outdated."""
        if blocks:
            self._forget_snapshots()
        if any(block.changes.rules for block in blocks):
            self._read_pairs(connection)

    def _forget_snapshots(self) -> None:
        self._now, self._cached = {}, 0

    # ------------------------------------------------------------ snapshots

    def snapshot(self, connection: Connection, topics: Topics) -> bytes:
        """The `snapshot` event for these topics."""
        event: bytes | None = self._now.get(topics)
        if event is None:
            if self._cached > MAX_CACHED:  # strangers can ask for ever new topics
                self._forget_snapshots()
            event = self._now[topics] = self._snapshot(connection, topics)
            self._cached += len(event)
        return event

    def _snapshot(self, connection: Connection, topics: Topics) -> bytes:
        at, pairs = self.recent.at, list(self.formats)

        def parts(kind: str, subjects: Iterable[Any], read: Callable[..., object]) -> list[Any] | UnsetType:
            return _or_unset(
                [_encode_once(self._now, (kind, each), read, connection, each) for each in subjects]
            )

        event = SnapshotEvent(
            seq=at.n,
            block=at.number,
            ts=iso(at.timestamp) if at.n else None,
            journal_hash=at.journal_hash,
            books=parts("book", pairs if topics.books is None else topics.books, self._book),
            trades=parts("trades", pairs if topics.trades is None else topics.trades, self._newest_trades),
            candles=parts("candle", topics.candles, self._newest_candle),
            accounts=parts("account", topics.accounts, self._account),
        )
        return sse.event("snapshot", encode(event), event_id(at))

    def _book(self, connection: Connection, pair: Pair) -> Book:
        fmt = self.formats[pair]
        bids, asks = (read_levels(connection, fmt.row.id, is_buy, DEPTH + 1) for is_buy in (True, False))
        return Book(
            base=pair.base,
            quote=pair.quote,
            bids=[show_level(fmt, row) for row in bids[:DEPTH]],
            asks=[show_level(fmt, row) for row in asks[:DEPTH]],
            complete=max(len(bids), len(asks)) <= DEPTH,
        )

    def _newest_trades(self, connection: Connection, pair: Pair) -> Trades:
        fmt = self.formats[pair]
        rows = list_trades(connection, fmt.row.id, None, TRADES).rows
        return Trades(base=pair.base, quote=pair.quote, trades=[fmt.trade(row) for row in rows])

    def _newest_candle(self, connection: Connection, topic: CandleTopic) -> CurrentCandle:
        until = self.recent.at.timestamp + 1
        pair_id, interval = self.formats[topic.pair].row.id, INTERVALS[topic.interval]
        rows = read_candles(connection, pair_id, interval, 0, until, 1).rows
        return self._candle(topic, rows[0] if rows else None)

    def _candle(self, topic: CandleTopic, row: CandleRow | None) -> CurrentCandle:
        (base, quote), interval = topic
        candle = None if row is None else show_candle(self.formats[topic.pair], row)
        return CurrentCandle(base=base, quote=quote, interval=interval, candle=candle)

    def _account(self, connection: Connection, user: str) -> AccountState:
        now = self.recent.at.timestamp
        account = find_account(connection, user)
        if account is None:
            return AccountState(user=user, balances=[], orders=[], grants=[], timers=[])
        orders = [
            row
            for status in (schema.OPEN, schema.WAITING)
            for row in list_orders(connection, OrderFilter(account, None, status), None, OPEN_ORDERS).rows
        ]
        return AccountState(
            user=user,
            balances=[show_balance(row) for row in read_balances(connection, account)],
            orders=[show_order(row, self._pairs) for row in sorted(orders, key=lambda row: -row.seq)],
            grants=[show_grant(row, self._precisions, now) for row in read_grants(connection, account, now)],
            timers=[show_timer(row) for row in read_timers(connection, account, now)],
        )

    # ------------------------------------------------------------ changes

    def changes(self, blocks: Iterable[RecentBlock], topics: Topics) -> bytes:
        """A `change` event for each of these blocks, limited to these topics."""
        return b"".join(self._change(block, topics) for block in blocks)

    def _change(self, block: RecentBlock, topics: Topics) -> bytes:
        at, pairs = block.block, list(self.formats)

        def parts(kind: str, subjects: Iterable[Any], show: Callable[..., object]) -> list[Any] | UnsetType:
            encoded = (_encode_once(block.parts, (kind, each), show, block, each) for each in subjects)
            return _or_unset([part for part in encoded if part is not _NOTHING])

        event = ChangeEvent(
            seq=at.n,
            prev=at.n - 1,
            block=at.number,
            ts=iso(at.timestamp),
            journal_hash=at.journal_hash,
            books=parts("book", pairs if topics.books is None else topics.books, self._book_change),
            trades=parts("trades", pairs if topics.trades is None else topics.trades, self._new_trades),
            candles=parts("candle", topics.candles, self._changed_candle),
            accounts=parts("account", topics.accounts, self._account_change),
        )
        return sse.event("change", encode(event), event_id(at))

    def _pair_changes(self, block: RecentBlock, pair: Pair) -> PairChanges | None:
        return block.changes.of_pair(self.formats[pair].row.id)

    def _book_change(self, block: RecentBlock, pair: Pair) -> BookChange | None:
        changes, fmt = self._pair_changes(block, pair), self.formats[pair]
        if changes is None or not (changes.bids or changes.asks):
            return None
        bids, asks = sorted(changes.bids, reverse=True), sorted(changes.asks)
        return BookChange(
            base=pair.base,
            quote=pair.quote,
            bids=[show_level(fmt, row) for row in bids],
            asks=[show_level(fmt, row) for row in asks],
        )

    def _new_trades(self, block: RecentBlock, pair: Pair) -> Trades | None:
        changes, fmt = self._pair_changes(block, pair), self.formats[pair]
        if changes is None or not changes.trades:
            return None
        newest_first = reversed(changes.trades)
        return Trades(base=pair.base, quote=pair.quote, trades=[fmt.trade(row) for row in newest_first])

    def _changed_candle(self, block: RecentBlock, topic: CandleTopic) -> CurrentCandle | None:
        changes = self._pair_changes(block, topic.pair)
        row = None if changes is None else changes.candles.get(INTERVALS[topic.interval])
        return None if row is None else self._candle(topic, row)

    def _account_change(self, block: RecentBlock, user: str) -> AccountChange | None:
        changes = block.changes.of_account(user)
        if changes is None:
            return None
        grants, timers, now = changes.grants, changes.timers, block.block.timestamp
        return AccountChange(
            user=user,
            balances=[show_balance(row) for row in changes.balances],
            orders=[show_order(row, self._pairs) for row in changes.orders],
            deposits=[show_deposit(row) for row in changes.deposits],
            withdrawals=[show_withdrawal(row) for row in changes.withdrawals],
            grants=UNSET if grants is None else [show_grant(row, self._precisions, now) for row in grants],
            timers=UNSET if timers is None else [show_timer(row) for row in timers],
        )


_NOTHING: Final = object()


def _encode_once(parts: Parts, key: object, make: Callable[..., object], *args: object) -> Any:
    """The encoded result of `make`, cached in `parts` under `key`; _NOTHING if it is None.

    _NOTHING is not cached: it costs little, and strangers can ask for ever new accounts.
    """
    raw = parts.get(key)
    if raw is None:
        made = make(*args)
        if made is None:
            return _NOTHING
        raw = parts[key] = Raw(encode(made))
    return raw


def _or_unset(parts: list[Any]) -> list[Any] | UnsetType:
    """Empty lists are omitted from events."""
    return parts or UNSET
