"""Ranges of blocks from several nodes: fetched ahead, checked, and compared before they count.

Each block's id is recomputed from its header and its link checked (`verify`), the witness's signature
recovered near the tip and for blocks of interest (`verify_witness`). That leaves the transactions, which the
header names by a merkle root alone. With a local verifier that root is recomputed. Without, every range is
read from two nodes, where there are two: a node that dropped an operation would not look interesting. Blocks
that differ in their bytes and are of interest by either version are compared by content; a third node decides
between two, and with none we wait, and say so.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from indexer.chain.blocks import Block, BlockError
from indexer.chain.comparison import block_difference
from indexer.chain.integrity.block_id import check_id
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.integrity.witness import check_signature
from indexer.chain.prefilter import Interest
from indexer.sources.backoff import NodeError, Patience
from indexer.sources.hive_client import HiveClient
from indexer.sources.irreversible_quorum import HiveNode
from indexer.sources.node_pool import Pool
from indexer.sources.source import Cursor, SourceError, check_link

LARGEST_RANGE: Final = 1000  # blocks; hived refuses more
RANGES_AHEAD: Final = 2
RANGE_BYTES: Final = 32_000_000
"""What a range should not exceed, by the size of the blocks before. So much, times the ranges under way,
times two nodes, is what reading holds in memory."""

log = logging.getLogger("peakedex.nodes")


class _Later(NodeError):
    """The node has not got the block yet: no fault, but another one may have it."""


@dataclass(slots=True)
class _Asked:
    """A range on its way: from the node that it is taken from, and the one that it is compared with."""

    after: int
    count: int
    near_tip: bool
    node: HiveNode
    blocks: Future[list[Block]]
    second: HiveNode | None = None
    texts: Future[list[bytes]] | None = None


class Ranges:
    """Reads on from a cursor. `after` gives the next blocks; each is to be confirmed before it is used."""

    def __init__(
        self,
        pool: Pool[HiveClient],
        patience: Patience,
        interest: Interest,
        quorum: int,
        verifier: Verifier | None = None,
        *,
        largest: int = LARGEST_RANGE,
    ) -> None:
        self._pool = pool
        self._patience = patience
        self._interest = interest
        self._quorum = quorum
        self._verifier = verifier
        self._compares = verifier is None and len(pool.nodes) > 1
        self._largest = largest
        self._size = largest
        self._block_bytes = 0
        self._ahead: deque[_Asked] = deque()
        self._current: _Asked | None = None
        self._unequal: dict[int, bytes] = {}  # the second node's text of a block, where it is another
        self._not_for: dict[HiveNode, int] = {}  # up to which block a node is not to be used
        self._conflicts: dict[HiveNode, str] = {}
        self._disputed: int | None = None  # the block that two nodes tell differently, and no third decides
        self._dispute_pause = 0.0

    @property
    def url(self) -> str:
        """The node that the current range is taken from; empty before the first."""
        return "" if self._current is None else self._current.node.url

    # -- a range -----------------------------------------------------------------------------------

    def after(self, last: Cursor, irreversible: int) -> list[Block]:
        """The blocks after `last`, at least one and at most a range. Raises Stopped and SourceError."""
        while True:
            asked = self._next(last, irreversible)
            try:
                blocks = self._patience.answer(asked.blocks, f"block {last.number + 1} of {asked.node.url}")
                self._check_link(blocks[0], last, asked.node)
            except NodeError as error:
                self._give_up(asked, error)
                continue
            texts = self._texts_of_second(asked)
            if texts is not None:
                blocks = blocks[: len(texts)]
                pairs = zip(blocks, texts, strict=False)
                self._unequal = {block.number: text for block, text in pairs if block.raw != text}
            else:
                self._unequal = {}
            self._accept(asked, blocks, irreversible)
            return blocks

    def _accept(self, asked: _Asked, blocks: list[Block], irreversible: int) -> None:
        self._conflicts.clear()
        if self._disputed is None:
            self._agree(asked)
        self._current = asked
        self._size = min(2 * self._size, self._largest)
        self._block_bytes = sum(len(block.raw) for block in blocks) // len(blocks) + 1
        if len(blocks) == asked.count:
            self._read_ahead(asked, irreversible)
        else:
            self._drop_ahead()

    def _agree(self, asked: _Asked) -> None:
        self._disputed, self._dispute_pause = None, 0.0
        self._pool.worked(asked.node)
        if asked.second is not None:
            self._pool.worked(asked.second)

    def _next(self, last: Cursor, irreversible: int) -> _Asked:
        """The range after the cursor: the one that was asked for ahead, or one asked for now."""
        while self._ahead:
            asked = self._ahead.popleft()
            if asked.after == last.number:
                return asked
        node = self._node_for(last.number + 1)
        count = min(self._count(), irreversible - last.number)
        return self._ask(node, None, last.number, count, irreversible)

    def _count(self) -> int:
        by_bytes = RANGE_BYTES // self._block_bytes if self._block_bytes else self._size
        return max(1, min(self._size, by_bytes))

    def _ask(
        self, node: HiveNode, second: HiveNode | None, after: int, count: int, irreversible: int
    ) -> _Asked:
        near_tip = irreversible - after < self._largest
        verifier = self._verifier
        read = node.ask(lambda client: _read(client, after, count, near_tip, verifier))
        asked = _Asked(after, count, near_tip, node, read, second)
        if self._compares:
            self._ask_second(asked)
        return asked

    def _ask_second(self, asked: _Asked) -> None:
        """Ask for the range's texts of another node, where one is ready."""
        if asked.second is None:
            asked.second = self._another(asked.after + 1, {asked.node})
        if asked.second is not None:
            first, count = asked.after + 1, asked.count
            asked.texts = asked.second.ask(lambda client: _read_texts(client, first, count))

    def _read_ahead(self, asked: _Asked, irreversible: int) -> None:
        """While catching up, the next ranges travel while this one is applied: whole irreversible ones."""
        end = self._ahead[-1].after + self._ahead[-1].count if self._ahead else asked.after + asked.count
        while len(self._ahead) < RANGES_AHEAD and irreversible - end >= self._largest:
            count = self._count()
            self._ahead.append(self._ask(asked.node, asked.second, end, count, irreversible))
            end += count

    def _drop_ahead(self) -> None:
        for asked in self._ahead:
            asked.blocks.cancel()
            if asked.texts is not None:
                asked.texts.cancel()
        self._ahead.clear()

    def _give_up(self, asked: _Asked, error: NodeError) -> None:
        """Rest the node that the range was taken from; the next try asks for half as much."""
        self._drop_ahead()
        self._current = None
        self._size = max(min(self._size, asked.count) // 2, 1)
        self._pool.failed(asked.node, error, quietly=isinstance(error, _Later))

    def _texts_of_second(self, asked: _Asked) -> list[bytes] | None:
        """The range as another node tells it, at least one block; None where nothing is compared."""
        reason = f"a second node, to compare block {asked.after + 1} with"
        while self._compares:
            if asked.second is None or asked.texts is None:
                asked.second = None
                self._ask_second(asked)
            if asked.second is None or asked.texts is None:
                error = f": {self._pool.last_error}" if self._pool.last_error else ""
                self._patience.pause(self._pause_for_second(asked), reason + error)
                continue
            try:
                return self._patience.answer(asked.texts, reason)
            except NodeError as error:
                self._pool.failed(asked.second, error, quietly=isinstance(error, _Later))
                asked.second = None
        return None

    def _pause_for_second(self, asked: _Asked) -> float:
        now, number = self._patience.now(), asked.after + 1
        fit = [node for node in self._pool.nodes if self._not_for.get(node, 0) < number]
        rests = [node.until - now for node in fit if node is not asked.node]
        return max(min(rests, default=0.0), self._patience.first_pause)

    # -- which node --------------------------------------------------------------------------------

    def _node_for(self, number: int) -> HiveNode:
        """A node to read this block from. Raises Stopped."""
        while (node := self._another(number, set())) is None:
            reason = f"a node that answers: {self._pool.last_error}"
            self._patience.pause(self._pool.seconds_to_rest() or self._patience.first_pause, reason)
        return node

    def _another(self, number: int, but: set[HiveNode]) -> HiveNode | None:
        for node in self._pool.ready():
            if node not in but and self._not_for.get(node, 0) < number:
                return node
        return None

    # -- conflicts ---------------------------------------------------------------------------------

    def _check_link(self, first: Block, last: Cursor, node: HiveNode) -> None:
        """Whether the range links to the cursor.

        One node may be on a fork, or lie: NodeError while others can be asked. When a quorum says so, and
        nobody says otherwise: SourceError, because we stop, and never repair.
        """
        try:
            check_link(first, last)
        except SourceError as error:
            self._conflicts[node] = f"{first.block_id} on {first.previous} ({node.url})"
            others = [other for other in self._pool.ready() if other not in self._conflicts]
            if not others and len(self._conflicts) >= self._quorum:
                raise SourceError(
                    f"irreversible block {first.number} does not link to the block before: block "
                    f"{last.number} was applied as {last.block_id}, and the nodes have block {first.number} "
                    f"as {', '.join(self._conflicts.values())}. Nothing is changed: find out who is right, "
                    "and if it is the nodes, rebuild the database from them"
                ) from None
            raise NodeError(f"{node.url}: {error}") from None

    # -- a block -----------------------------------------------------------------------------------

    def confirm(self, block: Block) -> bool:
        """Whether the block may be used; if not, the range is to be read anew, from the block before.

        Ask it for each block just before it is used: by then all escrow accounts are known that make it of
        interest. Raises Stopped.
        """
        asked, other = self._current, self._unequal.get(block.number)
        if asked is None:
            return False
        is_ours = self._interest.in_block(block)
        try:
            if is_ours:
                _read_transactions(block, asked.node.url)
                if not asked.near_tip:
                    _check_witness(block, asked.node.url)
            if other is None:
                return self._passes(block, asked)
            difference = _difference(block, other, is_ours or self._interest.in_text(other))
        except NodeError as error:
            self._give_up(asked, error)
            return False
        except BlockError as error:
            assert asked.second is not None
            self._pool.failed(asked.second, NodeError(f"{asked.second.url}: {error}"))
            self._start_anew()
            return False
        if difference is None:
            return self._passes(block, asked)
        self._judge(block, other, difference, asked)
        self._start_anew()
        return False

    def _passes(self, block: Block, asked: _Asked) -> bool:
        if block.number == self._disputed:
            self._agree(asked)
        return True

    def _start_anew(self) -> None:
        self._drop_ahead()
        self._current = None

    def _judge(self, block: Block, other: bytes, difference: str, asked: _Asked) -> None:
        """Find a node that sides with one of two, and leave the other alone for this range; or wait."""
        node, second = asked.node, asked.second
        assert second is not None
        problem = f"block {block.number}: {node.url} and {second.url} disagree: {difference}"
        until = asked.after + asked.count
        asked_too: set[HiveNode] = {node, second}
        while (third := self._another(block.number, asked_too)) is not None:
            asked_too.add(third)
            version = self._version_of(third, block.number)
            if version is None:
                continue
            for liar, truth in ((second, block.raw), (node, other)):
                if _says_the_same(version, truth):
                    self._not_for[liar] = until
                    self._pool.contradicted(liar, f"{problem} {third.url} sides against it")
                    self._disputed = None
                    return
        self._disputed = block.number
        self._dispute_pause = self._patience.next_pause(self._dispute_pause)
        self._pool.disputed((node, second), problem)
        self._patience.pause(self._dispute_pause, f"a third node to decide: {problem}")

    def _version_of(self, node: HiveNode, number: int) -> bytes | None:
        """The block's text by another node; None if it has none to show."""
        future = node.ask(lambda client: _read_texts(client, number, 1))
        try:
            return self._patience.answer(future, f"block {number} of {node.url}")[0]
        except NodeError as error:
            self._pool.failed(node, error)
            return None


# -- in the nodes' threads, and pure ---------------------------------------------------------------


def _read(
    client: HiveClient, after: int, count: int, near_tip: bool, verifier: Verifier | None
) -> list[Block]:
    """A range, everything in it checked that the node alone can be held to. Raises NodeError."""
    url = client.current_node
    blocks: list[Block] = []
    last = Cursor(after)
    for text in _read_texts(client, after + 1, count):
        try:
            block = Block(text)
            check_link(block, last)
            check_id(block)
            if near_tip:
                check_signature(block)
            if verifier is not None:
                verifier.check(block)
        except (BlockError, SourceError) as error:
            raise NodeError(f"{url}: {error}") from None
        blocks.append(block)
        last = Cursor(block.number, block.block_id)
    return blocks


def _read_texts(client: HiveClient, first: int, count: int) -> list[bytes]:
    """A range by its texts: at least one. Raises NodeError."""
    texts = client.range(first, count)
    if not texts:
        raise _Later(f"{client.current_node}: block {first} is not there yet")
    if len(texts) > count:
        raise NodeError(f"{client.current_node}: {len(texts)} blocks where {count} were asked for")
    return texts


def _node_error_of(check: Callable[[], object], url: str) -> None:
    try:
        check()
    except BlockError as error:
        raise NodeError(f"{url}: {error}") from None


def _read_transactions(block: Block, url: str) -> None:
    _node_error_of(lambda: block.transactions, url)


def _check_witness(block: Block, url: str) -> None:
    _node_error_of(lambda: check_signature(block), url)


def _difference(block: Block, other: bytes, of_interest: bool) -> str | None:
    """In what another node's version differs, as far as it matters. Raises BlockError for a broken one."""
    version = Block(other)
    if version.block_id != block.block_id:
        check_id(version)
        return f"its id is {block.block_id} or {version.block_id}."
    return block_difference(block.raw, other) if of_interest else None


def _says_the_same(one: bytes, other: bytes) -> bool:
    try:
        return _difference(Block(one), other, True) is None
    except BlockError:
        return False
