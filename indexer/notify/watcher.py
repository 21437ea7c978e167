"""Follows the stream, reads what is new of the accounts and pairs that it names, and queues notifications.

The stream says when to look and where; the lists say what is new. So nothing depends on how long this process
was away: after a late resume, every account and pair is looked at.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from indexer.notify.accounts import AccountNews, read_account
from indexer.notify.api_client import Api, ApiError
from indexer.notify.config.model import Config
from indexer.notify.outbox import Addressed, Outbox
from indexer.notify.prices import PairNews, judge_changes, judge_levels, read_pair
from indexer.notify.state import State
from indexer.notify.stream import Event, read_events
from settlement.net.backoff import Backoff
from settlement.net.change_logger import ChangeLogger
from settlement.net.http_client import NodeError

log = logging.getLogger("peakedex.notify")

_BACKOFF: Final = Backoff(2.0, 60.0)
_UNWRITTEN_EVENTS: Final = 20
"""The stream's position is written with each notification, and after this many events without one."""


class _Account(Struct):
    user: str
    orders: list[Any]
    deposits: list[Any] = msgspec.field(default_factory=list)
    withdrawals: list[Any] = msgspec.field(default_factory=list)


class _Pair(Struct):
    base: str
    quote: str
    trades: list[Any]


class _VenuePair(Struct):
    base: str
    quote: str


class _Venue(Struct):
    """What is needed of /api/venue."""

    venue_hash: str
    pairs: list[_VenuePair]


class _Change(Struct):
    """A `snapshot` or `change` event."""

    block: int
    accounts: list[_Account] = msgspec.field(default_factory=list)
    trades: list[_Pair] = msgspec.field(default_factory=list)


class Watcher:
    """Runs in a thread of its own until `stop`."""

    def __init__(self, config: Config, url: str, outbox: Outbox, stop: threading.Event) -> None:
        self._config = config
        self._api = Api(url, stop)
        self._outbox = outbox
        self._stop = stop
        self._errors = ChangeLogger(log)
        self._unwritten = 0

    def run(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            try:
                for event in read_events(self._api.url, self._topics(), self._resume_from()):
                    if self._stop.is_set():
                        return
                    try:
                        self._take(event)
                    except (ArithmeticError, ValueError) as error:  # a number or a time that is none
                        raise ApiError(f"{self._api.url}: not the API's answer: {error!r}") from None
                    if pause:
                        log.info("the stream is followed again")
                    pause = 0.0
                    self._errors.changed("", None)
                reason = "the stream ended"
            except NodeError as error:
                reason = str(error)
            pause = _BACKOFF.after(pause)
            self._errors.log(f"{reason}: connecting again")
            self._stop.wait(pause)

    def _topics(self) -> str:
        """The topics of accounts and of pairs that exist. Raises NodeError."""
        venue = self._api.get("/api/venue", _Venue)
        known = self._outbox.state.venue
        if known not in (None, venue.venue_hash):
            raise ApiError(
                f"{self._api.url} is another exchange than that of the state file: use another --state"
            )
        self._outbox.state.venue = venue.venue_hash
        there = {f"{pair.base}/{pair.quote}" for pair in venue.pairs}
        missing = [pair for pair in self._config.pairs if pair not in there]
        if missing:
            log.warning(
                "there is no pair %s: its rules wait until it is listed and this stream reconnects", missing
            )
        names = [f"account:{name}" for name in self._config.accounts]
        names += (f"trades:{pair}" for pair in self._config.pairs if pair in there)
        return ",".join(names or ["block"])

    def _resume_from(self) -> str | None:
        """The last event; None for a snapshot, where an account, pair or rule has no mark yet."""
        state, config = self._outbox.state, self._config
        marked = (
            *(name in state.accounts for name in config.accounts),
            *(pair in state.pairs for pair in config.pairs),
            *(rule.key in state.armed for rule in config.price_rules),
        )
        return state.event_id if all(marked) else None

    def _take(self, event: Event) -> None:
        """Look at what an event names; then the event is done. Raises NodeError."""
        if event.name not in ("snapshot", "change"):
            return
        try:
            change = msgspec.json.decode(event.data, type=_Change)
        except msgspec.MsgspecError as error:
            raise ApiError(f"{self._api.url}/api/stream: not an event: {error}") from None
        everything = event.name == "snapshot"
        users = [
            each.user
            for each in change.accounts
            if everything or each.orders or each.deposits or each.withdrawals
        ]
        pairs = [f"{each.base}/{each.quote}" for each in change.trades if everything or each.trades]
        state = self._outbox.state
        accounts = {
            user: read_account(self._api, user, state.accounts.get(user), change.block) for user in users
        }
        windows: dict[str, list[str]] = {rule.pair: [] for rule in self._config.change_rules}
        for rule in self._config.change_rules:
            windows[rule.pair].append(rule.window)
        news = [
            read_pair(
                *(self._api, pair, state.pairs.get(pair), windows.get(pair, ()), change.block),
                is_first=everything,
            )
            for pair in pairs
        ]
        self._unwritten += 1
        is_new = everything or self._unwritten >= _UNWRITTEN_EVENTS

        def apply(state: State) -> list[Addressed]:
            found = [*self._of_accounts(state, accounts), *self._of_pairs(state, news)]
            state.event_id = event.id or state.event_id
            return found

        if self._outbox.commit(apply, write=is_new) or is_new:
            self._unwritten = 0

    def _of_accounts(self, state: State, accounts: dict[str, AccountNews]) -> Iterator[Addressed]:
        for user, news in accounts.items():
            for event, message in news.notifications:
                for rule in self._config.account_rules:
                    if event in rule.events and user in rule.accounts:
                        yield Addressed(message, rule.to)
            state.accounts[user] = news.marks

    def _of_pairs(self, state: State, news: Iterable[PairNews]) -> Iterator[Addressed]:
        for each in news:
            yield from judge_levels(self._config.price_rules, each, state.armed)
            yield from judge_changes(self._config.change_rules, each, state.armed)
            state.pairs[each.pair] = each.mark
