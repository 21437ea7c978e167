"""Client for one Hive-Engine node: the receipts of a Hive block, and whether they are final."""

from __future__ import annotations

import itertools
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from indexer.chain.comparison import receipts_content
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.json_rpc import call, is_null
from settlement.net.http_client import BadAnswer, HttpClient, Limits, NodeError

LIMITS: Final = Limits(max_bytes=1 << 29)

T = TypeVar("T")


class _Latest(msgspec.Struct, rename="camel"):
    ref_hive_block_number: int


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: int = 0
    light_node: bool = False
    first_block_number: int | None = None


class ReceiptsAnswer(NamedTuple):
    """What a node has for a Hive block."""

    receipts: Receipts | None
    content: str | None  # the part that counts, for comparison with other nodes; None for no receipts
    is_final: bool  # whether the node has executed past the block, so that its answer cannot change


class SidechainClient:
    """Client for one node over kept-alive connections. Not thread-safe."""

    def __init__(self, url: str, *, limits: Limits = LIMITS) -> None:
        """`url` is without the `/blockchain`."""
        self._url = url
        self._http = HttpClient(limits)
        self._ids = itertools.count(1)
        self._executed = range(0)  # the Hive blocks that the node has executed and still keeps

    def receipts(self, hive_number: int) -> ReceiptsAnswer:
        """The receipts of a Hive block. Raises NodeError."""
        is_executed = hive_number in self._executed
        receipts = self._read_receipts(hive_number)
        if receipts is None and not is_executed:
            self._executed = self._read_executed(hive_number)
            if hive_number not in self._executed:
                return ReceiptsAnswer(None, None, False)
            # The node may have executed the block between the two requests.
            receipts = self._read_receipts(hive_number)
        try:
            return ReceiptsAnswer(receipts, receipts_content(receipts), True)
        except ReceiptError as error:
            raise BadAnswer(self._url, str(error)) from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read_receipts(self, hive_number: int) -> Receipts | None:
        result = self._call("getBlockInfoByHiveBlock", {"hiveBlockNumber": hive_number})
        if is_null(result):
            return None
        try:
            receipts = Receipts(result)
            receipts.check()
        except ReceiptError as error:
            raise BadAnswer(self._url, str(error)) from None
        if receipts.hive_number != hive_number:
            raise BadAnswer(
                self._url, f"Hive block {hive_number} was requested, {receipts.hive_number} returned"
            )
        return receipts

    def _read_executed(self, hive_number: int) -> range:
        """The blocks that the node has executed and keeps. Raises NodeError if it has dropped this one."""
        latest = self._read(self._call("getLatestBlockInfo", {}), _Latest)
        status = self._read(self._call("getStatus", {}), _Status)
        first = 0
        if status.light_node:
            # A light node drops old blocks, and then reports no receipts for them.
            oldest = {"blockNumber": status.first_block_number or 0}
            first = self._read(self._call("getBlockInfo", oldest), _Latest).ref_hive_block_number
            if hive_number < first:
                raise NodeError(f"{self._url}: a light node, without Hive block {hive_number}")
        # The last parsed block is still being executed: only those below it are done.
        return range(first, max(latest.ref_hive_block_number, status.last_parsed_hive_block_number))

    def _read(self, result: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(result, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadAnswer(self._url, str(error)) from None

    def _call(self, method: str, params: dict[str, Any]) -> bytes:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        return call(self._http, f"{self._url}/blockchain", request)
