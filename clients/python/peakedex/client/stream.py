"""Live data: Server-Sent Events of `/api/stream`, resumed after a lost connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

import msgspec

from peakedex.client.errors import ApiError, ConnectionFailed
from peakedex.client.http import Http
from peakedex.client.models import Level, OrderBook
from peakedex.client.stream_events import StreamEvent

SILENCE_SECONDS: Final = 30.0  # a server sends at least a heartbeat every 15 seconds
FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 30.0
_KINDS: Final = ("snapshot", "change", "head", "reset")


def stream(
    address: str,
    topics: Iterable[str],
    *,
    last_id: str | None = None,
    silence: float = SILENCE_SECONDS,
    first_pause: float = FIRST_PAUSE_SECONDS,
    sleep: Callable[[float], object] = time.sleep,
) -> Generator[StreamEvent, None, None]:
    """Events of topics such as `book:PEK/SWAP.HIVE` and `account:alice`, without an end.

    After a lost connection it reconnects and continues where it was: no change is missing or twice. Where the
    server cannot continue, or a change does not follow the one before, a `reset` comes, and a snapshot.
    Raises ApiError if the server refuses the topics.
    """
    url = f"{address.rstrip('/').removesuffix('/api')}/api/stream?{urlencode({'topics': ','.join(topics)})}"
    reader = _Reader(last_id)
    pause = first_pause
    while True:
        http = Http()
        try:
            for event in reader.read(http, url, silence):
                pause = first_pause
                yield event
        except ConnectionFailed:
            pass
        except ApiError as error:
            if not error.is_temporary:
                raise
            pause = max(pause, error.retry_after or 0.0)
        except _Gap:
            yield StreamEvent(kind="reset", reason="gap")
            reader = _Reader(None)
        finally:
            http.close()
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class _Gap(Exception):
    """A change that does not follow the one before."""


class _Reader:
    """Events of one connection after the other. `last_id` and `seq` are those of the last event."""

    def __init__(self, last_id: str | None) -> None:
        self.last_id = last_id
        self.seq: int | None = None

    def read(self, http: Http, url: str, silence: float) -> Iterator[StreamEvent]:
        """Events until the connection ends."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.last_id} if self.last_id else {})
        lines = http.lines(url, headers, silence)
        status, retry_after = int(next(lines)), next(lines).decode("latin-1")
        if status != 200:
            pause = float(retry_after) if retry_after.isdigit() else None
            raise ApiError(f"{url}: HTTP status {status}", status, "E_STREAM", pause)
        name, event_id, data = "", None, b""
        for line in lines:
            if line:
                key, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if key == b"event":
                    name = value.decode("latin-1")
                elif key == b"id":
                    event_id = value.decode("latin-1")
                elif key == b"data":
                    data += value
                continue
            if data and name in _KINDS:
                yield self._event(url, name, event_id, data)
            name, event_id, data = "", None, b""

    def _event(self, url: str, name: str, event_id: str | None, data: bytes) -> StreamEvent:
        try:
            event = msgspec.convert({**msgspec.json.decode(data), "kind": name}, StreamEvent)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError, RecursionError) as error:
            raise ConnectionFailed(f"{url}: not an event of a Peake DEX: {error}") from None
        if name == "change" and self.seq is not None and event.prev != self.seq:
            raise _Gap
        if event.seq is not None:
            self.seq = event.seq
        if event_id is not None:
            self.last_id = event_id
        return event


@dataclass
class LiveBook:
    """Order book of a pair, kept up to date: pass it every event of a stream with the topic `book:<pair>`."""

    pair: str
    block: int = 0
    bids: dict[Decimal, Level] = field(default_factory=dict)
    asks: dict[Decimal, Level] = field(default_factory=dict)

    def apply(self, event: StreamEvent) -> bool:
        """Take an event over; whether the book changed."""
        if event.kind == "reset":
            self.bids, self.asks = {}, {}
            return True
        if event.kind == "head":
            return False
        self.block = event.block
        changed = [book for book in event.books if f"{book.base}/{book.quote}" == self.pair]
        for book in changed:
            if event.kind == "snapshot":
                self.bids, self.asks = {}, {}
            for side, levels in ((self.bids, book.bids), (self.asks, book.asks)):
                for level in levels:
                    if level.orders:
                        side[level.price] = level
                    else:
                        side.pop(level.price, None)
        return bool(changed)

    def snapshot(self, depth: int = 50) -> OrderBook:
        """The book as `/api/orderbook` has it, best first."""
        base, _, quote = self.pair.partition("/")
        bids = [self.bids[price] for price in sorted(self.bids, reverse=True)[:depth]]
        asks = [self.asks[price] for price in sorted(self.asks)[:depth]]
        return OrderBook(block=self.block, ts=None, base=base, quote=quote, bids=bids, asks=asks)
