"""/api/validate_account: whether an account exists on Hive, asked of a Hive node through beem.

The only path that waits for someone else, so its waiting is bounded: some seconds, in few threads of its
own, with few requests waiting for them. Whoever comes beyond that, or while the nodes do not answer, is told
at once that nothing is known. No key is involved.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

from flask import Response
from msgspec import Meta

from api.http.answers import JSON
from api.http.errors import encode
from api.http.formatting import iso
from api.http.parameters import Rule
from api.http.resource import Direct
from api.http.shapes import Part, Time, choice
from api.settings import ApiSettings
from settlement.core.parsing.names import is_account

NODE_SECONDS: Final = 1.5
"""What one node may take."""
WAIT_SECONDS: Final = 3.5
"""What a request waits for an answer."""
MOST_WAITING: Final = 3
ABSENT_SECONDS: Final = 30.0
"""An account that does not exist may be made at any time; one that does is never removed."""
FAILURES: Final = 3
REST_SECONDS: Final = 30.0
"""After so many failures in a row the nodes are left alone for as long."""
MOST_KEPT: Final = 10_000
_LONGEST: Final = 64

log = logging.getLogger("peakedex.api")
Ask = Callable[[str], bool]


class Found(NamedTuple):
    """`exists` is None where nothing is known; `checked` is when a node said so, by our clock."""

    exists: bool | None
    checked: int | None
    source: str


class Accounts:
    """Which accounts exist, as far as the nodes tell. For any number of threads."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.time) -> None:
        """`ask` may block and raise anything: it is called in a thread of ours."""
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._asked: dict[str, Future[bool]] = {}
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="accounts")
        self._failures = 0
        self._rest_until = 0.0

    def find(self, name: str) -> Found:
        """Whether there is such an account. Returns within WAIT_SECONDS, whatever the nodes do."""
        if not is_account(name):
            return Found(False, None, "name")
        kept = self._keep(name)
        if kept is not None:
            return kept
        if not self._may_ask() or not self._waiting.acquire(blocking=False):
            return Found(None, None, "unavailable")
        try:
            exists = self._question(name).result(WAIT_SECONDS)
        except FutureTimeout:
            return Found(None, None, "unavailable")
        except Exception as error:  # whatever beem raises: the answer is that nothing is known
            log.info("no node told whether %s exists: %s", name, error)
            return Found(None, None, "unavailable")
        finally:
            self._waiting.release()
        return Found(exists, int(self._clock()), "node")

    def _keep(self, name: str) -> Found | None:
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or (not kept[0] and self._clock() - kept[1] > ABSENT_SECONDS):
                return None
            self._kept.move_to_end(name)
            return Found(kept[0], int(kept[1]), "cache")

    def _may_ask(self) -> bool:
        """Whether the nodes are worth a try. After a rest, one request finds out for all."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            if time.monotonic() < self._rest_until:
                return False
            self._rest_until = time.monotonic() + REST_SECONDS
            return True

    def _question(self, name: str) -> Future[bool]:
        """The answer to come; who asks of the same account meanwhile waits for the same one."""
        with self._lock:
            if name not in self._asked:
                self._asked[name] = self._threads.submit(self._put, name)
            return self._asked[name]

    def _put(self, name: str) -> bool:
        try:
            exists = self._ask(name)
        except Exception:
            with self._lock:
                self._asked.pop(name, None)
                self._failures += 1
                self._rest_until = time.monotonic() + REST_SECONDS
            raise
        with self._lock:
            self._asked.pop(name, None)
            self._failures = 0
            self._kept[name] = (exists, self._clock())
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return exists


class BeemNodes:
    """Asks nodes one after the other, the one that answered last first. Raises what the last one raised."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)

    def __call__(self, name: str) -> bool:
        from beemapi.noderpc import NodeRPC  # noqa: PLC0415  a second of loading, for who asks this at all

        logging.getLogger("beemapi").setLevel(logging.CRITICAL)  # we say it once, and shorter
        for url in tuple(self._urls):
            try:
                rpc = NodeRPC(
                    url, num_retries=0, num_retries_call=0, timeout=NODE_SECONDS, disable_chain_detection=True
                )
                found = rpc.find_accounts({"accounts": [name]}, api="database")
            except Exception as error:  # beem raises much, and of many kinds
                failure = error
                self._urls.remove(url)
                self._urls.append(url)
                continue
            return any(account["name"] == name for account in found["accounts"])
        raise failure if self._urls else ConnectionError("no Hive node is named")


_NAME: Final = Rule(
    f"a name, of at most {_LONGEST} characters",
    lambda text: text or None,
    {"type": "string", "minLength": 1, "maxLength": _LONGEST},
    _LONGEST,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountParameters:
    username: Annotated[str, _NAME]


class AccountAnswer(Part, kw_only=True):
    """`exists` is null where no node could be asked. `source` is who said so."""

    username: str
    valid_name: Annotated[bool, Meta(description="Whether an account may have such a name at all.")]
    exists: bool | None
    checked_ts: Annotated[Time | None, Meta(description="When a node said so.")]
    source: Annotated[str, choice("node", "cache", "name", "unavailable")]


def account_path(settings: ApiSettings) -> Direct[AccountParameters]:
    accounts = Accounts(BeemNodes(settings.hive_nodes), settings.clock)

    def view(ask: AccountParameters) -> Response:
        found = accounts.find(ask.username)
        answer = AccountAnswer(
            username=ask.username,
            valid_name=is_account(ask.username),
            exists=found.exists,
            checked_ts=None if found.checked is None else iso(found.checked),
            source=found.source,
        )
        response = Response(encode(answer), content_type=JSON)
        response.headers["Cache-Control"] = "no-store"
        return response

    return Direct(
        "/api/validate_account",
        AccountParameters,
        AccountAnswer,
        "Whether an account exists on Hive.",
        view,
        group="Account",
    )
