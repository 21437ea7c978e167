"""Client for one node, without retries: an answer, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from indexer.sources.json_rpc import call_for_blocks
from settlement.net.http_client import Limits
from settlement.net.json_rpc import JsonRpcClient

LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=10.0, max_bytes=1 << 27)
SLOW_SECONDS: Final = 2.0
_MAX_THREADS: Final = 16
_MAX_TIMED_CALLS: Final = 3

T = TypeVar("T")
R = TypeVar("R")


class NodeClient(JsonRpcClient):
    """JSON-RPC to one Hive or Hive-Engine node."""

    def __init__(self, url: str) -> None:
        super().__init__(url, LIMITS)

    def blocks(self, first: int, count: int) -> list[bytes]:
        """The JSON texts of a range of Hive blocks. Raises NodeError."""
        params = {"starting_block_num": first, "count": count}
        return call_for_blocks(self.http, self.url, self.request("block_api.get_block_range", params))

    def timed(self, call: Callable[[], T]) -> tuple[T, float]:
        """The answer to one of our calls and its seconds; of a slow node the quickest of three answers."""
        answer, seconds = call(), self.seconds
        for _ in range(_MAX_TIMED_CALLS - 1):
            if seconds <= SLOW_SECONDS:
                break
            call()
            seconds = min(seconds, self.seconds)
        return answer, seconds


def in_parallel(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results of `function` for all items, computed in threads, in the order of the items."""
    if not items:
        return []
    with ThreadPoolExecutor(min(_MAX_THREADS, len(items))) as threads:
        return list(threads.map(function, items))


def milliseconds(seconds: float) -> str:
    """An answer time for people."""
    return f"{seconds * 1000:.0f} ms"
