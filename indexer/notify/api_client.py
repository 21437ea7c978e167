"""Client of the read API: typed answers, and what is new in a list since the last look."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from indexer.notify.state import Mark
from settlement.net.http_client import HttpClient, HttpError, Limits, NodeError

LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=15.0, total_seconds=20.0, max_bytes=1 << 25)
FIRST_ROWS: Final = 100
"""Of the first page: there is seldom more news at once."""
PAGE_ROWS: Final = 1_000
MAX_PAGES: Final = 20
_FRESH_TRIES: Final = 40
_FRESH_SECONDS: Final = 0.25

log = logging.getLogger("peakedex.notify")

T = TypeVar("T")


class ApiError(NodeError):
    """The API's answer cannot be used (yet)."""


class Trade(Struct):
    """A trade; `base`, `quote`, `side` and `role` only in the list of an account."""

    id: int
    ts: str
    block: int
    price: str
    amount: str
    quote_amount: str
    taker_order: str
    maker_order: str
    buyer_fee: str
    seller_fee: str
    base: str = ""
    quote: str = ""
    side: str = ""
    role: str = ""


class Deposit(Struct):
    id: str
    symbol: str
    amount: str
    escrow: str
    status: str
    ts: str
    block: int
    paid_by: str | None


class Payout(Struct):
    state: str
    reason: str | None


class Withdrawal(Struct):
    id: str
    user: str
    symbol: str
    amount: str
    to: str
    memo: str | None
    status: str
    ts: str
    block: int
    paid_by: str | None
    closed_ts: str | None
    payout: Payout | None


Item = TypeVar("Item", Trade, Deposit, Withdrawal)


class News(NamedTuple):
    """What a list has that was not there at the mark, and the open items of then, as they are now."""

    new: list[Any]  # oldest first
    changed: list[Any]  # items that were open
    mark: Mark  # for the next look
    open: list[str]  # ids of the items that are open now


class Api:
    """The API at one address. Used by one thread. Its methods raise NodeError."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        self.url = url.rstrip("/")
        self._stop = stop
        self._http = HttpClient(LIMITS, {"Accept": "application/json"})

    def get(self, path: str, type_: type[T], **parameters: object) -> T:
        """The JSON of a path."""
        given = {name.rstrip("_"): value for name, value in parameters.items() if value is not None}
        query = f"?{urlencode(given)}" if given else ""
        try:
            return msgspec.json.decode(self._http.get(f"{self.url}{path}{query}").body, type=type_)
        except msgspec.MsgspecError as error:
            raise ApiError(f"{self.url}{path}: not the API's answer: {error}") from None

    def text(self, url: str) -> str:
        """The text at any address."""
        return self._http.get(url).body.decode(errors="replace")

    def news(
        self,
        path: str,
        item: type[Item],
        mark: Mark | None,
        *,
        at_least: int,
        open_ids: Iterable[str] = (),
        is_open: Callable[[Any], bool] = lambda _: False,
        **parameters: object,
    ) -> News:
        """What is new in a list (newest first) since `mark`; without a mark nothing is, and one is made.

        The answer is of block `at_least` or later. Items are found by their ids, so that nothing is lost or
        repeated wherever the stream was left. A list that no longer has the marked item belongs to another
        journal: it is read as if without a mark.
        """
        waiting = set(open_ids)
        new: list[Item] = []
        changed: list[Item] = []
        still_open: list[str] = []
        block, newest, cursor = 0, None, None
        was_empty = mark is not None and mark.newest is None
        is_found = False
        for page_number in range(MAX_PAGES):
            limit = FIRST_ROWS if page_number == 0 and mark is not None else PAGE_ROWS
            answer = self._page(path, item, at_least, cursor=cursor, limit=limit, **parameters)
            rows: list[Item] = answer.rows
            if page_number == 0:
                block, newest = answer.block, str(rows[0].id) if rows else None
            for row in rows:
                id_ = str(row.id)
                is_found = is_found or (mark is not None and id_ == mark.newest)
                if is_open(row):
                    still_open.append(id_)
                if id_ in waiting:
                    waiting.discard(id_)
                    changed.append(row)
                elif mark is not None and not is_found:
                    new.append(row)
            cursor = answer.next_cursor
            if cursor is None or (not waiting and (is_found or mark is None)):
                break
        if mark is not None and not is_found and not was_empty:
            if block < mark.block:
                raise ApiError(
                    f"{self.url}{path}: it is at block {block}, and was at {mark.block} before: "
                    "it is behind, or of another chain, which needs a state file of its own"
                )
            log.warning("%s has another history than before: notifications begin anew there", path)
            new, changed = [], []
        return News(new[::-1], changed, Mark(block, newest), still_open)

    def _page(self, path: str, item: type[Item], at_least: int, **parameters: object) -> _Page:
        """A page of a list; waits while the answer is older than the stream (it may come from a cache)."""
        for _ in range(_FRESH_TRIES):
            answer = self.get(path, dict[str, Any], **parameters)
            try:
                [rows] = [value for value in answer.values() if isinstance(value, list)]
                page = _Page(int(answer["block"]), msgspec.convert(rows, list[item]), answer["next_cursor"])  # type: ignore[valid-type]
            except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
                raise ApiError(f"{self.url}{path}: not the API's answer: {error}") from None
            if page.block >= at_least:
                return page
            if self._stop.wait(_FRESH_SECONDS):
                break
        raise ApiError(f"{self.url}{path}: it stays behind its stream")


class _Page(NamedTuple):
    block: int
    rows: list[Any]
    next_cursor: str | None


__all__ = ["Api", "ApiError", "Deposit", "HttpError", "News", "NodeError", "Trade", "Withdrawal"]
