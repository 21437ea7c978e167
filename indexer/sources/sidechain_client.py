"""One Hive-Engine node: what it did for one Hive block, and whether that is its last word."""

from __future__ import annotations

import itertools
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import requests

from indexer.chain.comparison import receipts_content
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.backoff import NodeError
from indexer.sources.json_rpc import call, is_null

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0

T = TypeVar("T")


class _Latest(msgspec.Struct, rename="camel"):
    ref_hive_block_number: int


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: int = 0
    light_node: bool = False
    first_block_number: int | None = None


class _Span(NamedTuple):
    """The Hive blocks for which a node's "nothing" is an answer: from `first`, below `end`."""

    first: int
    end: int


class Look(NamedTuple):
    """What a node has for a Hive block. `is_final`: it will not say anything else later.

    `content` is what of it counts, to be compared with another node's; None where there is nothing.
    """

    receipts: Receipts | None
    content: str | None
    is_final: bool


class EngineClient:
    """Asks one node, over connections that stay open. Not for several threads at once."""

    def __init__(
        self,
        url: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`url` is without the `/blockchain`."""
        self._url = url
        self._timeout = (connect_seconds, answer_seconds)
        self._session = requests.Session()
        self._ids = itertools.count(1)
        self._span = _Span(0, 0)

    def look(self, hive_number: int) -> Look:
        """The receipts of a Hive block. Raises NodeError."""
        is_past = self._covers(hive_number)
        receipts = self._block_of(hive_number)
        if receipts is None and not is_past:
            self._span = self._read_span(hive_number)
            if not self._covers(hive_number):
                return Look(None, None, False)
            # It may have executed the block between the two questions.
            receipts = self._block_of(hive_number)
        try:
            return Look(receipts, receipts_content(receipts), True)
        except ReceiptError as error:
            raise NodeError(f"{self._url}: {error}") from None

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _covers(self, hive_number: int) -> bool:
        return self._span.first <= hive_number < self._span.end

    def _block_of(self, hive_number: int) -> Receipts | None:
        result = self._ask("getBlockInfoByHiveBlock", {"hiveBlockNumber": hive_number})
        if is_null(result):
            return None
        try:
            receipts = Receipts(result)
            receipts.check()
        except ReceiptError as error:
            raise NodeError(f"{self._url}: {error}") from None
        if receipts.hive_number != hive_number:
            raise NodeError(f"{self._url}: asked for Hive block {hive_number}, got {receipts.hive_number}")
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
                raise NodeError(f"{self._url}: a light node, without Hive block {hive_number}")
        # lastParsed… is the block that the node is at work on: done with is only what lies below.
        return _Span(first, max(latest.ref_hive_block_number, status.last_parsed_hive_block_number))

    def _read(self, result: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(result, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NodeError(f"{self._url}: {error}") from None

    def _ask(self, method: str, params: dict[str, Any]) -> bytes:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        return call(self._session, f"{self._url}/blockchain", request, self._timeout)
