"""Asking Hive-Engine nodes what the sidechain did for one Hive block (protocol, section 3).

The answer "nothing" counts only from a node that has executed past the block and still keeps it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
import requests

from indexer.patience import NodeError, Patience
from indexer.receipts import ReceiptError, Receipts
from indexer.rpc import call, is_null

POLL_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0

T = TypeVar("T")


class _Latest(msgspec.Struct, rename="camel"):
    ref_hive_block_number: int


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: int = 0
    light_node: bool = False
    first_block_number: int | None = None


class _Span(msgspec.Struct, frozen=True):
    """The Hive blocks for which a node's "nothing" is an answer: from `first`, below `end`."""

    first: int
    end: int


class Sidechain:
    """Receipts from Hive-Engine nodes, waiting for them as long as it takes."""

    def __init__(
        self,
        nodes: Sequence[str],
        patience: Patience | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`nodes` are URLs without the `/blockchain`. Raises ValueError if there are none."""
        if not nodes:
            raise ValueError("no Hive-Engine nodes given")
        self._nodes = deque(node.rstrip("/") for node in nodes)
        self._patience = patience or Patience()
        self._poll_seconds = poll_seconds
        self._timeout = (connect_seconds, answer_seconds)
        self._session = requests.Session()
        self._ids = itertools.count(1)
        self._spans: dict[str, _Span] = {}

    def receipts(self, hive_number: int) -> Receipts | None:
        """What the sidechain did for a Hive block, None if nothing; waits until a node has executed past it.

        Raises Stopped.
        """
        while True:
            receipts, is_final = self._patience.retry(lambda: self._look(hive_number), self._next_node)
            if is_final:
                self._patience.arrived()
                return receipts
            self._patience.pause(self._poll_seconds, f"the sidechain to execute Hive block {hive_number}")
            self._next_node()

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _look(self, hive_number: int) -> tuple[Receipts | None, bool]:
        """(receipts, whether that is the last word). Raises NodeError."""
        is_past = self._covers(hive_number)
        receipts = self._block_of(hive_number)
        if receipts is not None or is_past:
            return receipts, True
        self._spans[self._nodes[0]] = self._read_span(hive_number)
        if not self._covers(hive_number):
            return None, False
        # It may have executed the block between the two questions.
        return self._block_of(hive_number), True

    def _covers(self, hive_number: int) -> bool:
        span = self._spans.get(self._nodes[0])
        return span is not None and span.first <= hive_number < span.end

    def _block_of(self, hive_number: int) -> Receipts | None:
        result = self._ask("getBlockInfoByHiveBlock", {"hiveBlockNumber": hive_number})
        if is_null(result):
            return None
        try:
            receipts = Receipts(result)
            receipts.check()
        except ReceiptError as error:
            raise NodeError(f"{self._nodes[0]}: {error}") from None
        if receipts.hive_number != hive_number:
            raise NodeError(
                f"{self._nodes[0]}: asked for Hive block {hive_number}, got {receipts.hive_number}"
            )
        return receipts

    def _read_span(self, hive_number: int) -> _Span:
        """What the node has executed and keeps. Raises NodeError if it has dropped the block."""
        latest = self._read(self._ask("getLatestBlockInfo", {}), _Latest)
        status = self._read(self._ask("getStatus", {}), _Status)
        first = 0
        if status.light_node:
            # Such a node forgets old blocks, and then says "nothing" about them as well.
            kept = status.first_block_number or 0
            first = self._read(
                self._ask("getBlockInfo", {"blockNumber": kept}), _Latest
            ).ref_hive_block_number
            if hive_number < first:
                raise NodeError(f"{self._nodes[0]}: a light node, without Hive block {hive_number}")
        # lastParsed… is the block that the node is at work on: done with is only what lies below.
        return _Span(first, max(latest.ref_hive_block_number, status.last_parsed_hive_block_number))

    def _read(self, result: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(result, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NodeError(f"{self._nodes[0]}: {error}") from None

    def _ask(self, method: str, params: dict[str, Any]) -> bytes:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        return call(self._session, f"{self._nodes[0]}/blockchain", request, self._timeout)

    def _next_node(self) -> None:
        self._nodes.rotate(-1)
