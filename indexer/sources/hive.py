"""Follows Hive: irreversible blocks that a quorum of nodes agrees on, checked, compared and linked.

irreversible_quorum   which blocks may be read
block_ranges          fetching ahead, checking and comparing
sidechain             receipts for blocks that may move tokens
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import has_candidate
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.prefilter import Prefilter
from indexer.chain.receipts import Receipts
from indexer.sources.block_ranges import LARGEST_RANGE, SLOW_SECONDS, BlockRanges
from indexer.sources.hive_client import LIMITS, RANGE_LIMITS, HiveClient
from indexer.sources.irreversible_quorum import IrreversibleQuorum, quorum_of
from indexer.sources.sidechain_client import HiveIds
from indexer.sources.source import Cursor, SourceError
from settlement.core.events import VenueFilter
from settlement.net.backoff import Stopped, Waiter, Waiting
from settlement.net.chain_id import ExpectedChain
from settlement.net.http_client import Limits
from settlement.net.node_pool import Node, NodePool, report_json
from settlement.net.node_urls import distinct

__all__ = ["LARGEST_RANGE", "LIVE_BLOCKS", "HiveClient", "HiveSource"]

LIVE_BLOCKS: Final = 20  # about a minute
POLL_SECONDS: Final = 1.0


class ReceiptsSource(Protocol):
    """Where receipts come from: `Sidechain`, or `NoReceipts`."""

    def receipts(self, hive_number: int, block_id: str, hive_ids: HiveIds) -> Receipts | None:
        """The receipts of a Hive block, None for none. Raises Stopped."""
        ...

    def report(self) -> list[dict[str, object]]:
        """Status of each node."""
        ...

    def close(self) -> None:
        """End the nodes' threads."""
        ...


class NoReceipts:
    """For readers of blocks alone, which need no sidechain."""

    def receipts(self, _hive_number: int, _block_id: str, _hive_ids: HiveIds) -> None:
        """None."""

    def report(self) -> list[dict[str, object]]:
        """No nodes."""
        return []

    def close(self) -> None:
        """Nothing to end."""


class HiveSource:
    """Source of irreversible blocks from Hive nodes, with receipts from the sidechain.

    Failed requests are repeated without end, with other nodes and growing pauses; `waiting` says what is
    waited for, `nodes` the status of each node. Only a chain that does not link to the cursor on a quorum of
    nodes raises an error: the database and the nodes then disagree about what is irreversible, which an
    operator must resolve.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        sidechain: ReceiptsSource,
        venue_filter: VenueFilter,
        waiter: Waiter | None = None,
        *,
        quorum: int | None = None,
        chain: ExpectedChain | None = None,
        verifier: Verifier | None = None,
        poll_seconds: float = POLL_SECONDS,
        limits: Limits = LIMITS,
        range_limits: Limits = RANGE_LIMITS,
        largest_range: int = LARGEST_RANGE,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """`nodes` are URLs; `quorum` as for `quorum_of`; `chain` as for HiveClient. Raises ValueError."""
        self._waiter = waiter or Waiter()
        members = [
            Node(url, HiveClient([url], limits=limits, range_limits=range_limits, chain=chain))
            for url in distinct(nodes)
        ]
        self._pool = NodePool(members, self._waiter, "Hive")
        agreeing = quorum_of(len(members), quorum)
        self._irreversible = IrreversibleQuorum(self._pool, self._waiter, agreeing, poll_seconds)
        prefilter = Prefilter(venue_filter)
        self._ranges = BlockRanges(
            *(self._pool, self._waiter, prefilter, agreeing, verifier),
            largest=largest_range,
            slow_seconds=slow_seconds,
        )
        self._sidechain = sidechain
        self._venue_filter = venue_filter
        self._poll_seconds = poll_seconds
        self._largest = largest_range
        self._distance = 0  # from the block just yielded to the last irreversible one

    @property
    def irreversible(self) -> int:
        """The last block that the quorum agrees is irreversible; 0 before the first answer."""
        return self._irreversible.number

    @property
    def catching_up(self) -> bool:
        """Whether the block just yielded is far from the last irreversible one.

        Near the tip each block gets a commit of its own: the next one may have to wait for the sidechain.
        """
        return self._distance > LIVE_BLOCKS

    @property
    def waiting(self) -> Waiting | None:
        """What is waited for: a node, the next block or the sidechain; None while blocks flow."""
        return self._waiter.waiting

    @property
    def where(self) -> str:
        """The node of the block just yielded."""
        return self._ranges.url

    @property
    def nodes(self) -> str:
        """Status of each Hive and Hive-Engine node: a JSON array of objects, see `NodePool.report`."""
        return report_json(self._pool.report(), self._sidechain.report())

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every irreversible block above the cursor, as it appears, until the stop event is set.

        Receipts are fetched only for blocks that may move tokens. Raises SourceError if the chain does not
        link to the cursor.
        """
        last = after
        try:
            while True:
                for block in self._next_blocks(last):
                    if not self._ranges.confirm(block):
                        break
                    self._distance = self.irreversible - block.number
                    receipts = self.receipts(block) if self._is_candidate(block) else None
                    self._waiter.done()
                    yield block, receipts
                    if self._waiter.stop.is_set():
                        return
                    last = Cursor(block.number, block.block_id)
        except Stopped:
            return

    def _next_blocks(self, last: Cursor) -> list[Block]:
        """The blocks after `last`, at least one and at most a range. Raises Stopped and SourceError."""
        if self.irreversible - last.number < self._largest:
            if self.irreversible <= last.number:
                self._distance = 0
            self._irreversible.wait_beyond(last.number, self._poll_seconds)
        return self._ranges.after(last, self.irreversible)

    def _is_candidate(self, block: Block) -> bool:
        try:
            return has_candidate(block, self._venue_filter)
        except BlockError as error:
            raise SourceError(str(error)) from None

    def receipts(self, block: Block) -> Receipts | None:
        """The sidechain's receipts of an irreversible block, None for none. Raises Stopped."""
        return self._sidechain.receipts(block.number, block.block_id, self._irreversible_id)

    def block_id(self, number: int) -> str | None:
        """The id of a block; None where it is not irreversible yet, or no quorum of nodes has it.

        Waits until a quorum of nodes has answered. Raises Stopped and SourceError.
        """
        self._irreversible.wait_beyond(0, self._poll_seconds)
        return self._irreversible_id(number)

    def _irreversible_id(self, number: int) -> str | None:
        return self._ranges.block_id(number) if self._irreversible.reaches(number) else None

    def close(self) -> None:
        """End the nodes' threads."""
        self._pool.close()
        self._sidechain.close()
