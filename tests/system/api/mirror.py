"""A stream client: reads events and maintains the state that they describe."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from queue import Empty, Queue
from typing import Any, NamedTuple

from tests.support.api_client import ApiClient

PATIENCE_SECONDS = 240.0
"""Longer than anything here takes, also on a busy machine."""


class Event(NamedTuple):
    """`name` is None for a comment, `id` for an event without one."""

    name: str | None
    id: str | None
    data: Any


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Parses Server-Sent Events from chunks of bytes."""
    held = b""
    for chunk in chunks:
        held += chunk
        *whole, held = held.split(b"\n\n")
        for text in whole:
            fields = dict(line.split(": ", 1) for line in text.decode().splitlines())
            if "" in fields:
                yield Event(None, None, fields[""])
            elif "data" in fields:
                yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))


class Reading:
    """An open stream, read by a thread, so that tests can wait for events with a deadline."""

    def __init__(self, chunks: Iterable[bytes], close: Callable[[], None]) -> None:
        self._queue: Queue[Event | None] = Queue()
        self._chunks = chunks
        self._close = close
        self._gone = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """What the server's thread does, and a client's."""
        try:
            for event in events(self._chunks):
                if self._gone:
                    break
                self._queue.put(event)
        except (OSError, http.client.HTTPException):
            pass  # the connection was cut: an end like any other
        finally:
            self._close()
            self._queue.put(None)

    def next(self, within: float = PATIENCE_SECONDS) -> Event | None:
        """The next event; None at the end. Raises AssertionError after a timeout."""
        try:
            return self._queue.get(timeout=max(within, 0.0))
        except Empty:
            raise AssertionError("nothing came in time") from None

    def expect(self, *names: str) -> Event:
        """The next event of these names; others are skipped."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (event := self.next(end - time.monotonic())) is not None:
            if event.name in names:
                return event
        raise AssertionError(f"the stream ended before any of {names}")

    def arrived(self) -> list[Event]:
        """The events received so far."""
        return [event for _ in range(self._queue.qsize()) if (event := self._queue.get()) is not None]

    def rest(self) -> list[Event]:
        """Everything up to the end of the stream."""
        found = []
        while (event := self.next()) is not None:
            found.append(event)
        return found

    def close(self) -> None:
        """Disconnect. The server notices at its next write."""
        self._gone = True


def listen(client: ApiClient, topics: str, last: str | None = None) -> Reading:
    """A stream of an application in this process. Raises AssertionError if it is rejected."""
    headers = {} if last is None else {"Last-Event-ID": last}
    response = client.get(f"/api/stream?topics={topics}", headers=headers, buffered=False)
    assert response.status_code == 200, response.data
    assert response.content_type == "text/event-stream"
    return Reading(response.iter_encoded(), response.close)


class Mirror:
    """The client's state. Asserts that changes are numbered without gaps."""

    def __init__(self, trades: int = 100) -> None:
        self._most_trades = trades
        self.last: str | None = None
        self.resets = 0
        self.statuses: set[str] = set()  # of all orders and stops in events
        self._forget()

    def _forget(self) -> None:
        self.at: dict[str, Any] = {}
        self.books: dict[Any, dict[str, dict[str, Any]]] = {}
        self.trades: dict[Any, list[Any]] = {}
        self.candles: dict[Any, Any] = {}
        self.balances: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[int, Any]] = {}  # open orders and waiting stops by seq
        self.grants: dict[str, list[Any]] = {}
        self.grants_at: dict[str, str] = {}  # day of their allowances
        self.timers: dict[str, list[Any]] = {}
        self.deposits: dict[str, Any] = {}
        self.withdrawals: dict[str, Any] = {}

    @property
    def seq(self) -> int:
        return int(self.at.get("seq", -1))

    def take(self, event: Event) -> None:
        if event.name == "snapshot":
            self._forget()
        elif event.name == "change":
            assert event.data["prev"] == self.seq, (event.data["seq"], self.seq)
            assert event.data["seq"] == self.seq + 1
        elif event.name == "reset":
            self.resets += 1
            self._forget()
            return
        else:
            return
        self.last = event.id
        data = event.data
        self.at = {name: data[name] for name in ("seq", "block", "ts", "journal_hash")}
        for book in data.get("books", ()):
            self._book(book)
        for part in data.get("trades", ()):
            held = self.trades.get(_pair(part), [])
            self.trades[_pair(part)] = [*part["trades"], *held][: self._most_trades]
        for part in data.get("candles", ()):
            self.candles[*_pair(part), part["interval"]] = part["candle"]
        for account in data.get("accounts", ()):
            self._account(account)

    def _book(self, part: dict[str, Any]) -> None:
        book = self.books.setdefault(_pair(part), {"bids": {}, "asks": {}})
        for side, levels in book.items():
            for level in part[side]:
                if Decimal(level["amount"]):
                    levels[level["price"]] = level
                else:
                    assert levels.pop(level["price"]) is not None

    def _account(self, account: dict[str, Any]) -> None:
        user = account["user"]
        balances, orders = self.balances.setdefault(user, {}), self.orders.setdefault(user, {})
        balances.update((row["symbol"], row) for row in account["balances"])
        for order in account["orders"]:
            self.statuses.add(order["status"])
            if order["status"] in ("open", "waiting"):
                orders[order["seq"]] = order
            else:
                orders.pop(order["seq"], None)
        if "grants" in account:
            self.grants[user], self.grants_at[user] = account["grants"], self._day()
        if "timers" in account:
            self.timers[user] = account["timers"]
        self.deposits.update((row["id"], row) for row in account.get("deposits", ()))
        self.withdrawals.update((row["id"], row) for row in account.get("withdrawals", ()))

    def _day(self) -> str:
        return str(self.at["ts"])[:10]

    def grants_of(self, user: str) -> list[Any]:
        """The grants in force, with what is left of their allowances: a new day begins with nothing used."""
        in_force = [grant for grant in self.grants[user] if grant["until"] > self.at["ts"]]
        return in_force if self.grants_at[user] == self._day() else [_unused(grant) for grant in in_force]

    def timers_of(self, user: str) -> list[Any]:
        """The armed timers: a grantee's ends with the grant."""
        grantees = {grant["to"] for grant in self.grants_of(user)}
        return [timer for timer in self.timers[user] if timer["by"] in {"active", *grantees}]

    def follow(self, reading: Reading, seq: int) -> None:
        """Apply events up to that one."""
        while self.seq < seq:
            self.take(reading.expect("snapshot", "change", "reset"))

    def picture(self) -> dict[str, Any]:
        """The state in the form of a new snapshot, without empty accounts and books."""
        return {
            **self.at,
            "books": {
                pair: {side: dict(sorted(levels.items())) for side, levels in book.items()}
                for pair, book in sorted(self.books.items())
                if book["bids"] or book["asks"]
            },
            "trades": {pair: rows for pair, rows in sorted(self.trades.items()) if rows},
            "candles": {key: candle for key, candle in sorted(self.candles.items()) if candle},
            "balances": {
                user: {symbol: row for symbol, row in sorted(rows.items()) if Decimal(row["total"])}
                for user, rows in sorted(self.balances.items())
            },
            "orders": {user: dict(sorted(rows.items())) for user, rows in sorted(self.orders.items())},
            "grants": {user: self.grants_of(user) for user in sorted(self.grants)},
            "timers": {user: self.timers_of(user) for user in sorted(self.timers)},
        }


def _pair(part: dict[str, Any]) -> tuple[str, str]:
    return part["base"], part["quote"]


def _unused(grant: dict[str, Any]) -> dict[str, Any]:
    allowances = [
        {**each, "used_today": _zero(each["used_today"]), "left_today": each["per_day"]}
        for each in grant["allowances"]
    ]
    return {**grant, "allowances": allowances}


def _zero(amount: str) -> str:
    _, point, decimals = amount.partition(".")
    return f"0{point}{'0' * len(decimals)}"


def snapshot(client: ApiClient, topics: str) -> Mirror:
    """The snapshot of a new client."""
    mirror, reading = Mirror(), listen(client, topics)
    mirror.take(reading.expect("snapshot"))
    reading.close()
    return mirror
