"""Ranges of blocks from several nodes: fetched ahead, checked, and compared before they are used.

Each block's id is recomputed from its header and its link checked; the witness signature is recovered near
the tip and for relevant blocks. The header covers the transactions only by a merkle root: with a local
verifier that root is recomputed. Without one, every range is read from two nodes, where there are two, since
a block from which a node dropped an operation would not look relevant. Blocks that differ in their bytes and
are relevant in either version are compared by content; a third node decides between two. Without a third the
source waits and reports the dispute.

Hedged requests: after SLOW_SECONDS a range is requested from another node as well; the first answer counts.

A header with an extension that this version does not know cannot be verified. From the first one on, blocks
are always compared with a second node's.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.block_id import check_id, unknown_extension
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.prefilter import Prefilter
from indexer.sources.checked_range import (
    NotYetAvailable,
    check_relevant,
    difference,
    is_same,
    read_range,
    read_texts,
)
from indexer.sources.hive_client import HiveClient
from indexer.sources.irreversible_quorum import HiveNode
from indexer.sources.source import Cursor, SourceError, check_link
from settlement.net.backoff import Waiter
from settlement.net.http_client import NodeError
from settlement.net.node_pool import NodePool

LARGEST_RANGE: Final = 1000  # blocks; hived refuses more
RANGES_AHEAD: Final = 2
SLOW_SECONDS: Final = 2.0  # after this, blocks near the tip are requested from another node as well
SLOW_RANGE_FACTOR: Final = 8  # the same for whole ranges while catching up, as a multiple
RANGE_BYTES: Final = 32_000_000
"""Target size of a range, by the mean size of the blocks before. Memory for reading is this, times the ranges
under way, times two nodes."""

log = logging.getLogger("peakedex.blocks")


@dataclass(slots=True)
class _RangeRequest:
    """A range under way from one node, and from a second one for comparison."""

    after: int
    count: int
    near_tip: bool
    node: HiveNode
    blocks: Future[list[Block]]
    second: HiveNode | None = None
    texts: Future[list[bytes]] | None = None


class BlockRanges:
    """Reads ranges in order. `after` gives the next blocks; call `confirm` for each before it is used."""

    def __init__(
        self,
        pool: NodePool[HiveClient],
        waiter: Waiter,
        prefilter: Prefilter,
        quorum: int,
        verifier: Verifier | None = None,
        *,
        largest: int = LARGEST_RANGE,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self._pool = pool
        self._waiter = waiter
        self._prefilter = prefilter
        self._quorum = quorum
        self._verifier = verifier
        self._compares = verifier is None and len(pool.nodes) > 1
        self._found_unverifiable = False
        self._largest = largest
        self._slow_seconds = slow_seconds
        self._size = largest
        self._block_bytes = 0  # mean of the last range
        self._ahead: deque[_RangeRequest] = deque()
        self._current: _RangeRequest | None = None
        self._unequal: dict[int, bytes] = {}  # the second node's text, where it differs in bytes
        self._excluded: dict[HiveNode, int] = {}  # the last block for which a contradicted node is not used
        self._unlinked: dict[HiveNode, str] = {}  # nodes whose chain does not link to the cursor
        self._disputed: int | None = None  # the block that two nodes dispute without a third to decide
        self._dispute_pause = 0.0

    @property
    def url(self) -> str:
        """The node that the current range is taken from; empty before the first."""
        return "" if self._current is None else self._current.node.url

    # -- ranges ------------------------------------------------------------------------------------

    def after(self, last: Cursor, irreversible: int) -> list[Block]:
        """The blocks after `last`, at least one and at most a range. Raises Stopped and SourceError."""
        while True:
            request = self._first_answered(self._next(last, irreversible))
            try:
                blocks = request.blocks.result()
                self._check_link(blocks[0], last, request.node)
            except NodeError as error:
                self._give_up(request, error)
                continue
            self._note_unverifiable(blocks)
            self._unequal = {}
            texts = self._texts_of_second(request)
            if texts is not None:
                blocks = blocks[: len(texts)]
                pairs = zip(blocks, texts, strict=False)
                self._unequal = {block.number: text for block, text in pairs if block.raw != text}
            self._accept(request, blocks, irreversible)
            return blocks

    def _note_unverifiable(self, blocks: list[Block]) -> None:
        """From the first header that cannot be verified, compare all blocks with a second node's."""
        if self._found_unverifiable:
            return
        for block in blocks:
            kind = unknown_extension(block)
            if kind is not None:
                self._found_unverifiable = True
                self._compares = len(self._pool.nodes) > 1
                checked = (
                    "it is compared with a second node"
                    if self._compares
                    else "with a single Hive node nothing else checks it: add another with --node"
                )
                log.warning(
                    "block %s has a header extension that this version does not know (%s), so its id "
                    "cannot be verified: %s. Update Peake DEX",
                    *(block.number, kind, checked),
                )
                return

    def _first_answered(self, request: _RangeRequest) -> _RangeRequest:
        """This request, or one for the same blocks from another node if that answers first. Raises Stopped.

        Its future is done; it may have failed.
        """
        requests = [request]
        while True:
            reason = f"block {request.after + 1} from {' and '.join(each.node.url for each in requests)}"
            if self._waiter.first_done((each.blocks for each in requests), reason, self._slow_after(request)):
                done = [each for each in requests if each.blocks.done()]
                best = next((each for each in done if each.blocks.exception() is None), done[0])
                for other in requests:
                    if other is not best:
                        self._pool.late(other.node, other.blocks)
                return best
            number, second, asked = request.after + 1, request.second, {each.node for each in requests}
            node = self._available_node(number, asked | ({second} if second else set()))
            node = node or self._available_node(number, asked)
            if node is not None:
                self._drop_ahead()
                for each in requests:
                    self._pool.late(each.node, each.blocks)
                span = (request.after, request.count, request.near_tip)
                requests.append(self._request(node, None if second is node else second, *span))

    def _slow_after(self, request: _RangeRequest) -> float:
        """Seconds after which another node is asked as well."""
        return self._slow_seconds if request.near_tip else SLOW_RANGE_FACTOR * self._slow_seconds

    def _accept(self, request: _RangeRequest, blocks: list[Block], irreversible: int) -> None:
        self._unlinked.clear()
        if self._disputed is None:
            self._agree(request)
        self._current = request
        self._size = min(2 * self._size, self._largest)
        self._block_bytes = sum(len(block.raw) for block in blocks) // len(blocks) + 1
        if len(blocks) == request.count:
            self._read_ahead(request, irreversible)
        else:
            self._drop_ahead()

    def _agree(self, request: _RangeRequest) -> None:
        self._disputed, self._dispute_pause = None, 0.0
        self._pool.succeeded(request.node)
        if request.second is not None:
            self._pool.succeeded(request.second)

    def _next(self, last: Cursor, irreversible: int) -> _RangeRequest:
        """The range after the cursor: fetched ahead, or requested now."""
        while self._ahead:
            request = self._ahead.popleft()
            if request.after == last.number:
                return request
        node = self._node_for(last.number + 1)
        count = min(self._count(), irreversible - last.number)
        return self._request(node, None, last.number, count, irreversible - last.number < self._largest)

    def _count(self) -> int:
        by_bytes = RANGE_BYTES // self._block_bytes if self._block_bytes else self._size
        return max(1, min(self._size, by_bytes))

    def _request(
        self, node: HiveNode, second: HiveNode | None, after: int, count: int, near_tip: bool
    ) -> _RangeRequest:
        verifier = self._verifier
        blocks = node.submit(lambda client: read_range(client, after, count, near_tip, verifier))
        request = _RangeRequest(after, count, near_tip, node, blocks, second)
        if self._compares:
            self._request_second(request)
        return request

    def _request_second(self, request: _RangeRequest) -> None:
        """Request the range's texts from another node, where one is available."""
        if request.second is None:
            request.second = self._available_node(request.after + 1, {request.node})
        if request.second is not None:
            first, count = request.after + 1, request.count
            request.texts = request.second.submit(lambda client: read_texts(client, first, count))

    def _read_ahead(self, request: _RangeRequest, irreversible: int) -> None:
        """While catching up, request the next full irreversible ranges while this one is applied."""
        end = self._ahead[-1].after + self._ahead[-1].count if self._ahead else request.after + request.count
        while len(self._ahead) < RANGES_AHEAD and irreversible - end >= self._largest:
            count = self._count()
            self._ahead.append(self._request(request.node, request.second, end, count, near_tip=False))
            end += count

    def _drop_ahead(self) -> None:
        for request in self._ahead:
            request.blocks.cancel()
            if request.texts is not None:
                request.texts.cancel()
        self._ahead.clear()

    def _restart(self) -> None:
        """Forget the current range and those ahead: they are read again."""
        self._drop_ahead()
        self._current = None

    def _give_up(self, request: _RangeRequest, error: NodeError) -> None:
        """Rest the node of a range; the next request is for half as many blocks."""
        self._restart()
        self._size = max(min(self._size, request.count) // 2, 1)
        self._pool.failed(request.node, error, quietly=isinstance(error, NotYetAvailable))

    def _texts_of_second(self, request: _RangeRequest) -> list[bytes] | None:
        """The range from a second node, at least one block; None where nothing is compared."""
        number = request.after + 1
        reason = f"a second node to compare block {number} with"
        while self._compares:
            if request.second is None or request.texts is None:
                request.second = None
                self._request_second(request)
            if request.second is None or request.texts is None:
                error = f": {self._pool.error}" if self._pool.error else ""
                others = (node for node in self._pool.nodes if node is not request.node)
                usable = [node for node in others if self._is_usable(node, number)]
                pause = self._pool.seconds_until_available(usable)
                self._waiter.pause(max(pause, self._waiter.backoff.first_seconds), reason + error)
                continue
            second = request.second
            try:
                if self._waiter.first_done((request.texts,), reason, self._slow_after(request)):
                    return request.texts.result()
                if self._available_node(number, {request.node, second}) is not None:
                    self._pool.late(second, request.texts)
                    request.second = None
            except NodeError as error:
                self._pool.failed(second, error, quietly=isinstance(error, NotYetAvailable))
                request.second = None
        return None

    # -- nodes -------------------------------------------------------------------------------------

    def _is_usable(self, node: HiveNode, number: int) -> bool:
        return self._excluded.get(node, 0) < number

    def _node_for(self, number: int) -> HiveNode:
        """A node to read this block from. Raises Stopped."""
        while (node := self._available_node(number, set())) is None:
            pause = self._pool.seconds_until_available() or self._waiter.backoff.first_seconds
            self._waiter.pause(pause, f"a Hive node to answer: {self._pool.error}")
        return node

    def _available_node(self, number: int, excluded: set[HiveNode]) -> HiveNode | None:
        for node in self._pool.available():
            if node not in excluded and self._is_usable(node, number):
                return node
        return None

    def _check_link(self, first: Block, last: Cursor, node: HiveNode) -> None:
        """Check that the range links to the cursor.

        A single node may be on a fork, or lie: NodeError while others can be asked. Once a quorum does not
        link and no node does: SourceError, because the recorded history is never repaired automatically.
        """
        try:
            check_link(first, last)
        except SourceError as error:
            self._unlinked[node] = f"{first.block_id} on {first.previous} ({node.url})"
            others = [other for other in self._pool.available() if other not in self._unlinked]
            if not others and len(self._unlinked) >= self._quorum:
                raise SourceError(
                    f"irreversible block {first.number} does not link to the block before: block "
                    f"{last.number} was applied as {last.block_id}, and the nodes have block {first.number} "
                    f"as {', '.join(self._unlinked.values())}. Nothing was changed. Check which is right; if "
                    "the nodes are, rebuild the database from them"
                ) from None
            raise NodeError(f"{node.url}: {error}") from None

    # -- blocks ------------------------------------------------------------------------------------

    def confirm(self, block: Block) -> bool:
        """Whether the block may be used; if not, the range is read again from it on. Raises Stopped."""
        request, other = self._current, self._unequal.get(block.number)
        if request is None:
            return False
        is_relevant = self._prefilter.in_block(block)
        try:
            if is_relevant:
                check_relevant(block, request.node.url, check_witness=not request.near_tip)
            if other is None:
                return self._confirmed(block, request)
            found = difference(block, other, is_relevant or self._prefilter.in_text(other))
        except NodeError as error:
            self._give_up(request, error)
            return False
        except BlockError as error:
            assert request.second is not None
            self._pool.failed(request.second, NodeError(f"{request.second.url}: {error}"))
            self._restart()
            return False
        if found is None:
            return self._confirmed(block, request)
        self._resolve(block, other, found, request)
        self._restart()
        return False

    def _confirmed(self, block: Block, request: _RangeRequest) -> bool:
        if block.number == self._disputed:
            self._agree(request)
        return True

    def _resolve(self, block: Block, other: bytes, found: str, request: _RangeRequest) -> None:
        """Exclude for this range the node that a third one contradicts; without a third, wait."""
        node, second = request.node, request.second
        assert second is not None
        problem = f"block {block.number}: {node.url} and {second.url} disagree: {found}"
        asked: set[HiveNode] = {node, second}
        while (third := self._available_node(block.number, asked)) is not None:
            asked.add(third)
            version = self._version_of(third, block.number)
            if version is None:
                continue
            for confirmed, contradicted, text in ((node, second, block.raw), (second, node, other)):
                if is_same(version, text):
                    self._excluded[contradicted] = request.after + request.count
                    self._pool.contradicted(contradicted, f"{problem}; {third.url} confirms {confirmed.url}")
                    self._disputed = None
                    return
        self._disputed = block.number
        self._dispute_pause = self._waiter.backoff.after(self._dispute_pause)
        self._pool.disputed((node, second), problem)
        self._waiter.pause(self._dispute_pause, f"a third node to decide: {problem}")

    def block_id(self, number: int) -> str | None:
        """The id of any block, as a quorum of nodes has it; None without one. Raises Stopped."""
        votes: Counter[str] = Counter()
        for node in self._pool.available():
            text = self._version_of(node, number)
            try:
                block = None if text is None else Block(text)
                if block is not None and block.number == number:
                    check_id(block)
                    votes[block.block_id] += 1
                    if votes[block.block_id] >= self._quorum:
                        return block.block_id
            except BlockError as error:
                self._pool.failed(node, NodeError(f"{node.url}: {error}"))
        return None

    def _version_of(self, node: HiveNode, number: int) -> bytes | None:
        """Another node's text of the block; None if it fails."""
        future = node.submit(lambda client: read_texts(client, number, 1))
        try:
            if not self._waiter.first_done((future,), f"block {number} from {node.url}", self._slow_seconds):
                self._pool.late(node, future)
                return None
            return future.result()[0]
        except NodeError as error:
            self._pool.failed(node, error)
            return None
