"""Client of the read API: typed market and account data, with ETags, paging and patience."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, TypeVar
from urllib.parse import quote as url_quote
from urllib.parse import urlencode

import msgspec

from peakedex.client.amounts import split_pair
from peakedex.client.errors import ApiError, ConnectionFailed, InputError
from peakedex.client.http import Answer, Http
from peakedex.client.models import (
    AccountTrade,
    Balance,
    Candle,
    Deposit,
    Grants,
    Health,
    IntentResult,
    Model,
    Order,
    OrderBook,
    OrderDetails,
    Pair,
    Price,
    RejectedOrder,
    Timer,
    Trade,
    Venue,
    Withdrawal,
)

PAGE_ROWS: Final = 1000
TRIES: Final = 4
_HELD_ANSWERS: Final = 128
_LONGEST_PAUSE: Final = 30.0

T = TypeVar("T", bound=Model)
Parameter = str | int | None


class _Problem(msgspec.Struct):
    error: str = ""
    code: str = ""


class _Status(Model, frozen=True, kw_only=True):
    status: str


class _Placed(Model, frozen=True, kw_only=True):
    order: _Status


class _Page(Model, frozen=True, kw_only=True):
    next_cursor: str | None = None


class Api:
    """The read API at one address, such as `https://dex.example.com`. Needs no key. Not thread-safe.

    A reading is tried `tries` times while the server is busy or does not answer, with the pause that it asks
    for. `sleep` is replaced by tests.
    """

    def __init__(
        self,
        address: str,
        *,
        seconds: float = 10.0,
        tries: int = TRIES,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.address = address.rstrip("/").removesuffix("/api")
        self._http = Http(seconds)
        self._tries = tries
        self._sleep = sleep
        # LRU cache of answers by URL: (ETag, body).
        self._held: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    # -- market ----------------------------------------------------------------------------------------

    def venue(self) -> Venue:
        """The venue's rules, tokens and pairs."""
        return self._get("venue", Venue)

    def health(self) -> Health:
        """Position of the server; also while it has no database."""
        return self._get("health", Health)

    def pairs(self) -> list[Pair]:
        """All pairs with prices and statistics."""
        return self._rows("pairs", "pairs", Pair, None)

    def order_book(self, pair: str, *, depth: int = 50, block: int | None = None) -> OrderBook:
        """The order book of a pair such as `PEK/SWAP.HIVE`: at most `depth` levels a side (up to 500)."""
        return self._get("orderbook", OrderBook, **_pair(pair), depth=depth, block=block)

    def price(self, pair: str) -> Price:
        """Last price, best bid and ask."""
        return self._get("price", Price, **_pair(pair))

    def trades(self, pair: str, *, limit: int | None = 100) -> list[Trade]:
        """Trades of a pair, newest first; `limit` None: all."""
        return self._rows("history", "trades", Trade, limit, **_pair(pair))

    def trades_since(self, pair: str, seconds: int) -> list[Trade]:
        """Trades of the `seconds` before the newest block, oldest first."""
        moment = self.health().ts
        found: list[Trade] = []
        if moment is None:
            return found
        start = moment - timedelta(seconds=seconds)
        for page in self._pages("history", "trades", Trade, None, **_pair(pair)):
            found += [trade for trade in page if trade.ts >= start]
            if page and page[-1].ts < start:
                break
        return found[::-1]

    def candles(
        self,
        pair: str,
        interval: str = "1h",
        *,
        start: str | int | None = None,
        end: str | int | None = None,
        limit: int | None = 100,
    ) -> list[Candle]:
        """The newest candles of a range, oldest first. `start` and `end`: Unix seconds or ISO 8601 in UTC."""
        span: dict[str, Parameter] = {"from": start, "to": end}
        pages = self._pages("candles", "candles", Candle, limit, **_pair(pair), interval=interval, **span)
        # Each page is oldest first, and the next one has older candles.
        return [candle for page in reversed(list(pages)) for candle in page]

    # -- accounts --------------------------------------------------------------------------------------

    def balances(self, user: str, *, block: int | None = None) -> dict[str, Balance]:
        """Balances of an account by symbol; tokens without a balance are missing."""
        rows = self._rows("balances", "balances", Balance, None, user=user, block=block)
        return {row.symbol: row for row in rows}

    def orders(
        self,
        *,
        user: str | None = None,
        pair: str | None = None,
        status: str | None = None,
        limit: int | None = 100,
    ) -> list[Order]:
        """Orders and stops, newest first; `limit` None: all. For rejected ones see `rejected_orders`."""
        if status == "rejected":
            raise InputError("status", "rejected orders are read by rejected_orders")
        names = {} if pair is None else _pair(pair)
        return self._rows("orders", "orders", Order, limit, user=user, status=status, **names)

    def rejected_orders(self, user: str, *, limit: int | None = 100) -> list[RejectedOrder]:
        """Rejected orders of an account, newest first."""
        return self._rows("orders", "orders", RejectedOrder, limit, user=user, status="rejected")

    def order(self, order_id: str) -> OrderDetails | None:
        """One order or stop with its newest trades; None where the venue has none of it (yet).

        Of a rejected order it has none: `intents` says why.
        """
        url = self._url(f"orders/{_segment(order_id)}")
        try:
            body = self._read(url)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        if self._decode(url, body, _Placed).order.status == "rejected":
            return None
        return self._decode(url, body, OrderDetails)

    def account_trades(
        self, user: str, *, pair: str | None = None, limit: int | None = 100
    ) -> list[AccountTrade]:
        """Trades of an account, newest first."""
        names = {} if pair is None else _pair(pair)
        return self._rows("history", "trades", AccountTrade, limit, user=user, **names)

    def deposits(self, user: str, *, limit: int | None = 100) -> list[Deposit]:
        """What an account sent to the escrow accounts, newest first."""
        return self._rows("deposits", "deposits", Deposit, limit, user=user)

    def withdrawals(
        self, user: str, *, status: str | None = None, limit: int | None = 100
    ) -> list[Withdrawal]:
        """Withdrawals of an account, newest first."""
        return self._rows("withdrawals", "withdrawals", Withdrawal, limit, user=user, status=status)

    def grants(self, user: str) -> Grants:
        """Grants that an account has given, and the newest that it has received."""
        return self._get("grants", Grants, user=user)

    def timers(self, user: str) -> list[Timer]:
        """Armed cancel-all timers of an account."""
        return self._rows("timers", "timers", Timer, None, user=user)

    # -- intents ---------------------------------------------------------------------------------------

    def intents(self, transaction_id: str) -> list[IntentResult]:
        """Results of a transaction's intents; empty where none is known (yet)."""
        try:
            return self._rows(f"intents/{_segment(transaction_id)}", "intents", IntentResult, None)
        except ApiError as error:
            if error.status == 404:
                return []
            raise

    def intents_by_ref(self, user: str, ref: str) -> tuple[int, list[IntentResult]]:
        """The block of the answer, and the results of intents with this `ref` up to it."""

        class Answered(Model, frozen=True, kw_only=True):
            block: int
            intents: list[IntentResult]

        answered = self._get("intents", Answered, user=user, ref=ref, limit=PAGE_ROWS)
        return answered.block, answered.intents

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- requests --------------------------------------------------------------------------------------

    def _rows(
        self, path: str, key: str, kind: type[T], limit: int | None, **parameters: Parameter
    ) -> list[T]:
        return [row for page in self._pages(path, key, kind, limit, **parameters) for row in page]

    def _pages(
        self, path: str, key: str, kind: type[T], limit: int | None, **parameters: Parameter
    ) -> Iterator[list[T]]:
        """Pages until there are `limit` rows. Paths that are no lists have one page."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            rows = None if path in _NO_LISTS else min(PAGE_ROWS, left or PAGE_ROWS)
            url = self._url(path, **parameters, limit=rows, cursor=cursor)
            body = self._read(url)
            page = self._decode(url, body, dict[str, msgspec.Raw]).get(key, msgspec.Raw(b"[]"))
            found = self._decode(url, bytes(page), list[kind])  # type: ignore[valid-type]
            yield found
            left = None if left is None else left - len(found)
            cursor = self._decode(url, body, _Page).next_cursor
            if cursor is None:
                return

    def _get(self, path: str, kind: type[T], **parameters: Parameter) -> T:
        url = self._url(path, **parameters)
        return self._decode(url, self._read(url), kind)

    def _url(self, path: str, **parameters: Parameter) -> str:
        given = {name: value for name, value in parameters.items() if value is not None}
        return f"{self.address}/api/{path}" + (f"?{urlencode(given)}" if given else "")

    @staticmethod
    def _decode(url: str, body: bytes, kind: type[_D]) -> _D:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(f"{url}: not an answer of a Peake DEX: {error}", 200, "E_ANSWER") from None

    def _read(self, url: str) -> bytes:
        """The body, tried again while the server is busy. Raises ApiError and ConnectionFailed."""
        for attempt in range(1, self._tries + 1):
            try:
                return self._read_once(url)
            except ConnectionFailed:
                if attempt == self._tries:
                    raise
                pause = 0.5 * 2**attempt
            except ApiError as error:
                if attempt == self._tries or not error.is_temporary:
                    raise
                pause = 0.5 * 2**attempt if error.retry_after is None else error.retry_after
            self._sleep(min(pause, _LONGEST_PAUSE))
        raise AssertionError("unreachable")

    def _read_once(self, url: str) -> bytes:
        held = self._held.get(url)
        answer = self._http.get(url, {"If-None-Match": held[0]} if held else None)
        if answer.status == 304 and held:
            self._held.move_to_end(url)
            return held[1]
        if answer.status != 200:
            raise _error(url, answer)
        if etag := answer.headers.get("ETag"):
            self._held[url] = (etag, answer.body)
            if len(self._held) > _HELD_ANSWERS:
                self._held.popitem(last=False)
        return answer.body


_D = TypeVar("_D")
_NO_LISTS: Final = ("pairs", "balances", "timers")


def _pair(pair: str) -> dict[str, Parameter]:
    base, quote = split_pair(pair)
    return {"base": base, "quote": quote}


def _segment(text: str) -> str:
    return url_quote(text, safe="~") if text else "-"


def _error(url: str, answer: Answer) -> ApiError:
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = _Problem()
    text = answer.headers.get("Retry-After", "")
    pause = float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
    sentence = problem.error or f"HTTP status {answer.status}"
    return ApiError(f"{url}: {sentence}", answer.status, problem.code, pause)
