"""Client for one Hive-Engine node: the receipts of a Hive block, and whether they are final.

A node fetches Hive blocks ahead of executing them, and after a fork of Hive it keeps the blocks of the branch
that it followed. So "no receipts" counts only once the node has executed a later block, and receipts count
only under the Hive block's own id.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from indexer.chain.comparison import receipts_content
from indexer.chain.receipts import OrphanError, ReceiptError, Receipts
from indexer.sources.json_rpc import call, is_null
from settlement.net.http_client import BadAnswer, HttpClient, Limits, NodeError

LIMITS: Final = Limits(max_bytes=1 << 29)
UNEXECUTED_BLOCKS: Final = 100
"""A node counts as having executed all but this many blocks below `lastParsedHiveBlockNumber`.

That number is the next block to fetch. Below it up to `antiForkBufferMaxSize` blocks wait unexecuted: 2 as
shipped, but an operator may set more, and the setting is not published. 100 blocks are 5 minutes. Used only
for a block after which the sidechain has executed nothing, which is rare on the main network.
"""

HiveIds = Callable[[int], str | None]
"""The id of a Hive block by its number; None where it is not irreversible yet."""

T = TypeVar("T")


class _Executed(msgspec.Struct, rename="camel"):
    block_number: int
    ref_hive_block_number: int
    ref_hive_block_id: str = ""


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: int = 0
    last_block_ref_hive_block_number: int | None = None  # missing on older nodes
    light_node: bool = False
    first_block_number: int | None = None


class HiveBlockReference(NamedTuple):
    """The Hive block that one of the node's blocks executed."""

    number: int
    block_id: str  # as the node says; empty where it does not


class Orphan(NamedTuple):
    """A block of a branch that Hive dropped, and the id of Hive's block with the same number."""

    reference: HiveBlockReference
    block_id: str

    def __str__(self) -> str:
        number, block_id = self.reference
        executed = block_id[:40] or "without an id"
        return f"it executed block {executed} as Hive block {number}, and Hive's is {self.block_id}"


class ForkedNodeError(NodeError):
    """The node followed a branch of Hive that was dropped: it cannot answer until it is replayed."""

    def __init__(self, url: str, problem: object) -> None:
        super().__init__(f"{url}: this Hive-Engine node followed a fork: it must be replayed ({problem})")


class ReceiptsAnswer(NamedTuple):
    """What a node has for a Hive block."""

    receipts: Receipts | None
    content: str | None  # the part that counts, for comparison with other nodes; None for no receipts
    is_final: bool  # whether the node has executed past the block, so that its answer cannot change
    neighbours: tuple[HiveBlockReference, ...] = ()
    """Without receipts, the nearest executed blocks before and after: after a fork their ids may differ."""

    def orphan(self, hive_ids: HiveIds) -> Orphan | None:
        """A neighbour of a branch that Hive dropped; None for none, as far as is known."""
        for reference in self.neighbours:
            block_id = hive_ids(reference.number)
            if block_id is not None and block_id != reference.block_id:
                return Orphan(reference, block_id)
        return None

    def counts(self, hive_ids: HiveIds) -> bool:
        """Whether it is final, and all neighbours are known to be Hive's."""
        return self.is_final and all(hive_ids(one.number) == one.block_id for one in self.neighbours)


class SidechainClient:
    """Client for one node over kept-alive connections. Not thread-safe."""

    def __init__(self, url: str, *, limits: Limits = LIMITS, http: HttpClient | None = None) -> None:
        """`url` is without the `/blockchain`."""
        self._url = url
        self._http = http or HttpClient(limits)
        self._ids = itertools.count(1)
        self._executed = range(0)  # the Hive blocks that the node has executed and still keeps
        self._nearest = 0  # number of the sidechain's block that the last search ended at
        self._orphan: tuple[int, str] | None = None  # number and true id of a block that it has wrong

    def receipts(self, hive_number: int, block_id: str) -> ReceiptsAnswer:
        """The receipts of a Hive block. Raises NodeError; ForkedNodeError until the node is replayed."""
        if self._orphan is not None:
            self._read_receipts(*self._orphan)
            self._orphan, self._executed = None, range(0)  # it was replayed
        receipts = self._read_receipts(hive_number, block_id)
        if receipts is None and hive_number not in self._executed:
            self._executed = self._read_executed(hive_number)
            if hive_number not in self._executed:
                return ReceiptsAnswer(None, None, False)
            # The node may have executed the block between the two requests.
            receipts = self._read_receipts(hive_number, block_id)
        if receipts is None:
            neighbours = self._neighbours(hive_number)
            is_final = self._is_past(hive_number, neighbours[-1].number)
            if not is_final:  # it has gone back: restored, or another machine behind the same address
                self._executed = range(0)
            return ReceiptsAnswer(None, None, is_final, neighbours)
        try:
            return ReceiptsAnswer(receipts, receipts_content(receipts), True)
        except ReceiptError as error:
            raise BadAnswer(self._url, str(error)) from None

    def distrust(self, orphan: Orphan) -> None:
        """Use no answer any more until the node is replayed."""
        self._orphan = orphan.reference.number, orphan.block_id

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read_receipts(self, hive_number: int, block_id: str) -> Receipts | None:
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
        try:
            receipts.check_hive_id(block_id)
        except OrphanError as error:
            self._orphan = hive_number, block_id
            raise ForkedNodeError(self._url, error) from None
        return receipts

    def _is_past(self, hive_number: int, nearest: int) -> bool:
        """Whether it has executed past a block without receipts as of now, whatever it said before.

        `nearest`: the Hive block of the nearest block that it executed after it, or else of its latest one.
        """
        if nearest >= hive_number:
            return nearest > hive_number  # else it has executed the block since it was asked for the receipts
        return self._status().last_parsed_hive_block_number - UNEXECUTED_BLOCKS > hive_number

    def _read_executed(self, hive_number: int) -> range:
        """The blocks that the node has executed and keeps. Raises NodeError if it has dropped this one."""
        status = self._status()
        latest = status.last_block_ref_hive_block_number
        if latest is None:
            latest = self._latest().ref_hive_block_number
        first = 0
        if status.light_node:
            # A light node drops old blocks, and then reports no receipts for them.
            oldest = self._executed_block(status.first_block_number or 0)
            first = hive_number + 1 if oldest is None else oldest.ref_hive_block_number
            if hive_number < first:
                raise NodeError(f"{self._url}: a light node, without Hive block {hive_number}")
        return range(first, max(latest, status.last_parsed_hive_block_number - UNEXECUTED_BLOCKS))

    def _neighbours(self, hive_number: int) -> tuple[HiveBlockReference, ...]:
        """The nearest blocks that the node executed before and after a Hive block without receipts."""
        latest = self._latest()
        if latest.ref_hive_block_number < hive_number:
            return (_reference(latest),)
        before, after, low = self._around(hive_number, latest)
        while after.block_number - low > 1:
            middle = (low + after.block_number) // 2
            found = self._executed_block(middle)
            if found is not None and found.ref_hive_block_number >= hive_number:
                after = found
            else:
                before, low = found or before, middle
        if before is None and low > 0:
            raise NodeError(f"{self._url}: a light node, without the blocks before Hive block {hive_number}")
        self._nearest = after.block_number
        return tuple(map(_reference, (after,) if before is None else (before, after)))

    def _around(self, hive_number: int, latest: _Executed) -> tuple[_Executed | None, _Executed, int]:
        """A block before, if the node keeps one, one after, and the number of the first: in growing steps.

        It begins where the last search has ended: a reader that is far behind asks for one Hive block after
        the other, and all of them may have to be searched for.
        """
        after, before, low, step = latest, None, 0, 1
        if 0 < self._nearest < latest.block_number:
            found = self._executed_block(self._nearest)
            while found is not None and found.ref_hive_block_number < hive_number:
                before, low = found, found.block_number
                if low + step >= latest.block_number:
                    return before, latest, low
                found, step = self._executed_block(low + step), 2 * step
            after = found or latest
            if before is not None:
                return before, after, low
        step = 1
        while before is None and after.block_number - step > 0:
            found = self._executed_block(after.block_number - step)
            if found is None or found.ref_hive_block_number < hive_number:
                return found, after, after.block_number - step
            after, step = found, 2 * step
        return before, after, low

    def _status(self) -> _Status:
        return self._read(self._call("getStatus", {}), _Status)

    def _latest(self) -> _Executed:
        return self._read(self._call("getLatestBlockInfo", {}), _Executed)

    def _executed_block(self, number: int) -> _Executed | None:
        """One of the sidechain's blocks; None where the node does not keep it."""
        result = self._call("getBlockInfo", {"blockNumber": number})
        block = None if is_null(result) else self._read(result, _Executed)
        if block is not None and block.block_number != number:
            raise BadAnswer(self._url, f"block {number} was requested, {block.block_number} returned")
        return block

    def _read(self, result: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(result, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadAnswer(self._url, str(error)) from None

    def _call(self, method: str, params: dict[str, Any]) -> bytes:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        return call(self._http, f"{self._url}/blockchain", request)


def _reference(block: _Executed) -> HiveBlockReference:
    return HiveBlockReference(block.ref_hive_block_number, block.ref_hive_block_id)
