"""Asking one node, without the patience of those who must go on: an answer, or why there is none."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import msgspec
import requests

from indexer.sources.backoff import NodeError
from indexer.sources.json_rpc import call, call_for_blocks

TIMEOUT: Final = (5.0, 10.0)
"""Seconds to connect, and for the answer."""
_MOST_THREADS: Final = 16

T = TypeVar("T")
R = TypeVar("R")


class Asker:
    """JSON-RPC to one URL. `seconds` is how long the last answer took."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.seconds = 0.0
        self._session = requests.Session()
        self._ids = itertools.count(1)

    def ask(self, method: str, params: object, kind: type[T], path: str = "") -> T:
        """A result of a given shape. Raises NodeError."""
        started = time.perf_counter()
        result = call(self._session, self.url + path, self._request(method, params), TIMEOUT)
        self.seconds = time.perf_counter() - started
        try:
            return msgspec.json.decode(result, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NodeError(f"{self.url}: {method}: {error}") from None

    def blocks(self, first: int, count: int) -> list[bytes]:
        """A range of Hive blocks, as JSON texts. Raises NodeError."""
        params = {"starting_block_num": first, "count": count}
        request = self._request("block_api.get_block_range", params)
        return call_for_blocks(self._session, self.url, request, TIMEOUT)

    def _request(self, method: str, params: object) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def close(self) -> None:
        """Close the kept connection."""
        self._session.close()


def at_once(look: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """Look at all of them at the same time; the findings in their order."""
    if not things:
        return []
    with ThreadPoolExecutor(min(_MOST_THREADS, len(things))) as threads:
        return list(threads.map(look, things))


def milliseconds(seconds: float) -> str:
    """How long an answer took, for people."""
    return f"{seconds * 1000:.0f} ms"
