"""Following Hive: irreversible blocks by the word of a quorum, verified, compared and linked, with receipts.

irreversible ── which block may be read          nodes ── who is asked, who rests
ranges ── fetching ahead, checking, comparing    sidechain ── receipts for blocks with a candidate
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import has_candidate
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.prefilter import Interest
from indexer.chain.receipts import Receipts
from indexer.sources.backoff import Patience, Stopped
from indexer.sources.block_ranges import LARGEST_RANGE, Ranges
from indexer.sources.hive_client import ANSWER_SECONDS, CONNECT_SECONDS, RANGE_SECONDS, HiveClient
from indexer.sources.irreversible_quorum import Irreversible, quorum_of
from indexer.sources.node_pool import Node, Pool, report_text
from indexer.sources.sidechain import Sidechain
from indexer.sources.source import Cursor, SourceError, Waiting
from settlement.core.events import VenueFilter

__all__ = ["LARGEST_RANGE", "LIVE_BLOCKS", "HiveClient", "HiveSource"]

LIVE_BLOCKS: Final = 20  # about a minute
POLL_SECONDS: Final = 1.0


class HiveSource:
    """Irreversible blocks from Hive nodes, with receipts from the sidechain, as a source for the follow loop.

    What a node gets wrong is asked for again, of another, with growing pauses and without end; `waiting`
    tells what for, `nodes` how each of them is. Only a chain that does not link to the cursor, by the word
    of a quorum, ends it: then the database and the nodes disagree about what is irreversible, and a person
    must look.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        sidechain: Sidechain,
        venue_filter: VenueFilter,
        patience: Patience | None = None,
        *,
        quorum: int | None = None,
        verifier: Verifier | None = None,
        poll_seconds: float = POLL_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        range_seconds: float = RANGE_SECONDS,
        largest_range: int = LARGEST_RANGE,
    ) -> None:
        """`nodes` are URLs; `quorum` as for `irreversible.quorum_of`. Raises ValueError."""
        self._patience = patience or Patience()
        timeouts = {
            "connect_seconds": connect_seconds,
            "answer_seconds": answer_seconds,
            "range_seconds": range_seconds,
        }
        members = [Node(url, HiveClient([url], **timeouts)) for url in dict.fromkeys(nodes)]
        self._pool = Pool(members, self._patience, "Hive")
        agreeing = quorum_of(len(members), quorum)
        self._irreversible = Irreversible(self._pool, self._patience, agreeing, poll_seconds)
        self._ranges = Ranges(
            self._pool, self._patience, Interest(venue_filter), agreeing, verifier, largest=largest_range
        )
        self._sidechain = sidechain
        self._venue_filter = watch
        self._poll_seconds = poll_seconds
        self._largest = largest_range
        self._at_hand = 0

    @property
    def irreversible(self) -> int:
        """Number of the last block that the nodes agree to call irreversible; 0 before they did."""
        return self._irreversible.number

    @property
    def catching_up(self) -> bool:
        """Whether the block just yielded is far from the last irreversible one.

        Close to it each block is worth a commit of its own: the next one may have to wait for the sidechain.
        """
        return self._at_hand > LIVE_BLOCKS

    @property
    def waiting(self) -> Waiting | None:
        """What is waited for, be it a node, the next block or the sidechain; None while blocks flow."""
        return self._patience.waiting

    @property
    def where(self) -> str:
        """The node that the block just yielded was taken from."""
        return self._ranges.url

    @property
    def nodes(self) -> str:
        """How each node is, the sidechain's too: a JSON array of objects, see `Pool.report`."""
        return report_text(self._pool.report(), self._sidechain.report())

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every irreversible block above the cursor, as it comes, until the stop event is set.

        Receipts are fetched for blocks with a candidate only. Apply each block before asking for the next.
        Raises SourceError if the chain does not link to the cursor.
        """
        last = after
        try:
            while True:
                for block in self._next_blocks(last):
                    if not self._ranges.confirm(block):
                        break
                    self._at_hand = self.irreversible - block.number
                    receipts = self._receipts(block)
                    self._patience.arrived()
                    yield block, receipts
                    if self._patience.stop.is_set():
                        return
                    last = Cursor(block.number, block.block_id)
        except Stopped:
            return

    def _next_blocks(self, last: Cursor) -> list[Block]:
        """The blocks after `last`, at least one and at most a range. Raises Stopped and SourceError."""
        if self.irreversible - last.number < self._largest:
            if self.irreversible <= last.number:
                self._at_hand = 0
            self._irreversible.after(last.number, self._poll_seconds)
        return self._ranges.after(last, self.irreversible)

    def _receipts(self, block: Block) -> Receipts | None:
        try:
            is_candidate = has_candidate(block, self._venue_filter)
        except BlockError as error:
            raise SourceError(str(error)) from None
        return self._sidechain.receipts(block.number) if is_candidate else None

    def close(self) -> None:
        """Let the threads end."""
        self._pool.close()
        self._sidechain.close()
