"""/api/validate_account: whether an account exists on Hive, from a Hive node through beem.

The only endpoint that waits for another server. Lookups run in two threads of their own, and few requests
wait for them, for some seconds at most; others, and all while no node answers, get "unavailable" at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

from cachetools import LRUCache, TTLCache
from flask import Response
from msgspec import Meta

from api.http.errors import encode
from api.http.etag import JSON
from api.http.formatting import iso
from api.http.parameters import Rule
from api.http.resource import DirectEndpoint
from api.http.shapes import Part, Time, choice
from api.settings import ApiSettings
from settlement.core.parsing.names import is_account

NODE_SECONDS: Final = 1.5
"""Timeout of one node."""
WAIT_SECONDS: Final = 3.5
"""Maximum wait of a request."""
MAX_WAITING: Final = 3
"""Requests that wait at a time."""
ABSENT_SECONDS: Final = 30.0
"""An account that does not exist may be created at any time; existing accounts are never deleted."""
MAX_FAILURES: Final = 3
PAUSE_SECONDS: Final = 30.0
"""After MAX_FAILURES failures in a row the nodes are not queried for this time."""
MAX_CACHED: Final = 10_000
_MAX_LENGTH: Final = 64

log = logging.getLogger("peakedex.api")


class LookupResult(NamedTuple):
    """Whether an account exists."""

    exists: bool | None  # None while unknown
    checked: int | None  # when a node said so, in seconds since 1970
    source: str  # node, cache, name (not a valid one) or unavailable


_UNAVAILABLE: Final = LookupResult(None, None, "unavailable")


class LookupFailed(Exception):
    """No Hive node answered."""


class AccountLookup:
    """Looks up accounts, for any number of threads. Concurrent lookups of one name share a query."""

    def __init__(
        self,
        query: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """`query` may block and raises LookupFailed; it runs in a thread of this class."""
        self._query = query
        self._clock = clock
        self._monotonic = monotonic
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._existing: LRUCache[str, float] = LRUCache(MAX_CACHED)  # name: when a node was queried
        self._absent: TTLCache[str, float] = TTLCache(MAX_CACHED, ABSENT_SECONDS, timer=clock)
        self._running: dict[str, Future[bool]] = {}
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="accounts")
        self._failures = 0
        self._paused_until = 0.0

    def find(self, name: str) -> LookupResult:
        """Whether the account exists. Returns within `wait_seconds`."""
        if not is_account(name):
            return LookupResult(False, None, "name")
        with self._lock:
            for exists, cache in ((True, self._existing), (False, self._absent)):
                checked = cache.get(name)
                if checked is not None:
                    return LookupResult(exists, int(checked), "cache")
            if not self._may_query() or not self._waiting.acquire(blocking=False):
                return _UNAVAILABLE
            if name not in self._running:
                self._running[name] = self._threads.submit(self._run, name)
            query = self._running[name]
        try:
            exists = query.result(self._wait_seconds)
        except FutureTimeout:
            return _UNAVAILABLE
        except LookupFailed as error:
            log.info("Could not look up the account %s: %s", name, error)
            return _UNAVAILABLE
        finally:
            self._waiting.release()
        return LookupResult(exists, int(self._clock()), "node")

    def _may_query(self) -> bool:
        """False during a pause. After it, one request tries the nodes again. The caller holds the lock."""
        if self._failures < MAX_FAILURES:
            return True
        if self._monotonic() < self._paused_until:
            return False
        self._paused_until = self._monotonic() + PAUSE_SECONDS
        return True

    def _run(self, name: str) -> bool:
        try:
            exists = self._query(name)
            with self._lock:
                self._failures = 0
                (self._existing if exists else self._absent)[name] = self._clock()
        except LookupFailed:
            with self._lock:
                self._failures += 1
                self._paused_until = self._monotonic() + PAUSE_SECONDS
            raise
        finally:
            with self._lock:
                self._running.pop(name, None)
        return exists


class BeemNodes:
    """Queries Hive nodes in turn, the last one that answered first. Raises LookupFailed."""

    def __init__(self, urls: Sequence[str], timeout_seconds: float = NODE_SECONDS) -> None:
        self._urls = list(urls)
        self._timeout_seconds = timeout_seconds

    def __call__(self, name: str) -> bool:
        from beemapi.noderpc import NodeRPC  # noqa: PLC0415  takes a second to import, and is rarely needed

        logging.getLogger("beemapi").setLevel(logging.CRITICAL)  # the failure is logged by AccountLookup
        failure = "no Hive node is configured"
        for url in tuple(self._urls):
            try:
                rpc = NodeRPC(
                    url,
                    num_retries=0,
                    num_retries_call=0,
                    timeout=self._timeout_seconds,
                    disable_chain_detection=True,
                )
                found = rpc.find_accounts({"accounts": [name]}, api="database")
                return any(account["name"] == name for account in found["accounts"])
            except Exception as error:  # beem's errors have no type in common, and an answer can be anything
                failure = str(error) or type(error).__name__
                self._urls.remove(url)
                self._urls.append(url)
        raise LookupFailed(failure)


_NAME: Final = Rule(
    f"a name of at most {_MAX_LENGTH} characters",
    lambda text: text or None,
    {"type": "string", "minLength": 1, "maxLength": _MAX_LENGTH},
    _MAX_LENGTH,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountParameters:
    username: Annotated[str, _NAME]


class AccountAnswer(Part, kw_only=True):
    """`exists` is null if no node answered. `source`: where the result comes from."""

    username: str
    valid_name: Annotated[bool, Meta(description="Whether this is a valid account name.")]
    exists: bool | None
    checked_ts: Annotated[Time | None, Meta(description="When a node was queried.")]
    source: Annotated[str, choice("node", "cache", "name", "unavailable")]


def account_endpoint(settings: ApiSettings) -> DirectEndpoint[AccountParameters]:
    lookup = AccountLookup(BeemNodes(settings.hive_nodes), settings.clock)

    def view(params: AccountParameters) -> Response:
        found = lookup.find(params.username)
        answer = AccountAnswer(
            username=params.username,
            valid_name=is_account(params.username),
            exists=found.exists,
            checked_ts=None if found.checked is None else iso(found.checked),
            source=found.source,
        )
        response = Response(encode(answer), content_type=JSON)
        response.headers["Cache-Control"] = "no-store"
        return response

    return DirectEndpoint(
        "/api/validate_account",
        AccountParameters,
        AccountAnswer,
        "Whether an account exists on Hive.",
        view,
        group="Account",
    )
