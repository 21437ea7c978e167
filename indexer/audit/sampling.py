"""Samples of the blocks that evidence publishes, compared with what Hive nodes have.

A block that is published as a header only must hold no operation of the venue. Its header proves that it
exists, not what is in it: only the whole block shows that. A random sample of them, chosen here and unknown
to whoever published, finds omissions with a probability that `chance` computes.
"""

from __future__ import annotations

import math
import random
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import zip_longest
from queue import SimpleQueue
from typing import Final, Generic, NamedTuple, TypeVar

from indexer.audit.compare import Mismatch, MismatchFound, TargetUnavailable
from indexer.chain.blocks import Block, BlockError
from indexer.chain.comparison import block_difference
from indexer.chain.decode import decode, has_candidate
from indexer.chain.headers import HeaderBlock
from indexer.chain.integrity.block_id import check_id
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.hive_client import HiveClient
from indexer.sources.sidechain_client import SidechainClient
from settlement.core.events import Movement, VenueFilter
from settlement.net.chain_id import ExpectedChain
from settlement.net.http_client import NodeError
from settlement.net.node_urls import distinct

CLIENTS_PER_NODE: Final = 4
MAX_CLIENTS: Final = 16
_SEED_BITS: Final = 256

T = TypeVar("T")


class Reservoir(Generic[T]):
    """Uniform random sample without replacement of a stream of unknown length (Li's Algorithm L)."""

    def __init__(self, size: int, source: random.Random) -> None:
        self.items: list[T] = []
        self.seen = 0
        self._size = size
        self._random = source
        self._next = size  # number of the next item that is taken, from 1
        self._weight = 1.0

    def offer(self, item: T) -> None:
        """The next item of the stream."""
        self.seen += 1
        if self.seen <= self._size:
            self.items.append(item)
        elif self.seen == self._next:
            self.items[self._random.randrange(self._size)] = item
        if self.seen == self._next:
            self._weight *= math.exp(math.log(1.0 - self._random.random()) / self._size)
            skipped = math.log(1.0 - self._random.random()) / math.log1p(-self._weight)
            self._next += int(skipped) + 1


class HeaderSample(NamedTuple):
    """A sampled block that is published as a header only."""

    number: int
    block_id: str


class BlockSampler:
    """Chooses, while blocks are read: headers, whole blocks that nothing verifies, and receipts."""

    def __init__(self, size: int, seed: int | None = None) -> None:
        """`seed` makes the choice repeatable, for tests: by default it is fresh randomness."""
        source = random.Random(secrets.randbits(_SEED_BITS) if seed is None else seed)
        self.headers: Reservoir[HeaderSample] = Reservoir(size, source)
        self.blocks: Reservoir[Block] = Reservoir(size, source)
        self.receipts: Reservoir[tuple[Block, Receipts | None]] = Reservoir(size, source)

    def header_only(self, block: HeaderBlock) -> None:
        """A block that is published without its transactions."""
        self.headers.offer(HeaderSample(block.number, block.block_id))

    def whole(
        self, block: Block, receipts: Receipts | None, *, is_candidate: bool, is_verified: bool
    ) -> None:
        """A whole block, offered unless its transactions are verified; its receipts if they matter."""
        if not is_verified:
            self.blocks.offer(block)
        if is_candidate:
            self.receipts.offer((block, receipts))


def chance(total: int, sample: int, hidden: int) -> float:
    """Probability that a sample of `total` blocks without replacement holds one of the hidden ones.

    1 - C(total - hidden, sample) / C(total, sample), of the hypergeometric distribution.
    """
    if sample > total - hidden:
        return 1.0
    missed = (
        math.lgamma(total - hidden + 1)
        - math.lgamma(total - hidden - sample + 1)
        - math.lgamma(total + 1)
        + math.lgamma(total - sample + 1)
    )
    return -math.expm1(min(missed, 0.0))


def detectable(total: int, sample: int, wanted: float) -> int:
    """The fewest hidden blocks of which a sample holds one with at least the wanted probability."""
    low, high = 1, total
    while low < high:
        middle = (low + high) // 2
        if chance(total, sample, middle) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


class ReceiptsChecker:
    """Compares published receipts with those of Hive-Engine nodes: both must give the same movements."""

    def __init__(self, nodes: tuple[str, ...], venue_filter: VenueFilter) -> None:
        self._venue_filter = venue_filter
        self._clients = deque((url, SidechainClient(url)) for url in distinct(nodes))

    def check(self, sampler: BlockSampler) -> None:
        """Raises MismatchFound for receipts that differ, TargetUnavailable without an answer."""
        try:
            for block, ours in sampler.receipts.items:
                theirs, url = self._receipts(block)
                try:
                    mine, others = (
                        [
                            event
                            for event in decode(block, self._venue_filter, each)
                            if isinstance(event, Movement)
                        ]
                        for each in (ours, theirs)
                    )
                except ReceiptError as error:
                    raise TargetUnavailable(f"{url}: {error}") from None
                if mine != others:
                    raise MismatchFound(self._difference(block, mine, others, url))
        finally:
            for _, client in self._clients:
                client.close()

    def _receipts(self, block: Block) -> tuple[Receipts | None, str]:
        """The receipts of the first node that answers, and its URL. Raises TargetUnavailable."""
        problem: object = "not executed by the sidechain yet"
        for url, client in list(self._clients):
            self._clients.rotate(-1)
            try:
                answer = client.receipts(block.number, block.block_id)
            except NodeError as error:
                problem = error
                continue
            if answer.is_final:
                return answer.receipts, url
        raise TargetUnavailable(f"receipts of block {block.number}: {problem}")

    @staticmethod
    def _difference(block: Block, ours: list[Movement], theirs: list[Movement], url: str) -> Mismatch:
        mine, other = next(pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1])
        mine_shown, other_shown = (None if each is None else ascii(tuple(each)) for each in (mine, other))
        cause = f"the second one is of {url}"
        return Mismatch("published receipt", block.number, None, mine_shown, other_shown, cause)


class SampleChecker:
    """Compares samples with the blocks of Hive nodes, some at a time."""

    def __init__(
        self,
        nodes: tuple[str, ...],
        chain: ExpectedChain,
        venue_filter: VenueFilter,
        verifier: Verifier | None,
    ) -> None:
        self.verified = 0
        """Blocks of nodes whose transactions are verified against their headers."""
        self._venue_filter = venue_filter
        self._verifier = verifier
        self._count = min(MAX_CLIENTS, CLIENTS_PER_NODE * len(nodes))
        self._clients: SimpleQueue[HiveClient] = SimpleQueue()
        order = deque(nodes)
        for _ in range(self._count):
            self._clients.put(HiveClient(list(order), chain=chain))
            order.rotate(-1)

    def check(self, sampler: BlockSampler, on_block: Callable[[int], object] = lambda _: None) -> None:
        """Check the samples. Raises MismatchFound for one that fails, TargetUnavailable without an answer."""
        with ThreadPoolExecutor(self._count) as pool:
            checks = [pool.submit(self._check_header, sample) for sample in sampler.headers.items]
            checks += [pool.submit(self._check_whole, block) for block in sampler.blocks.items]
            try:
                for check in as_completed(checks):
                    self.verified += check.result()
                    on_block(1)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _check_header(self, sample: HeaderSample) -> bool:
        """Raise MismatchFound if the block concerns the venue; whether its transactions are verified."""
        block, url = self._block(*sample)
        is_verified = self._is_verified(block, url)
        if has_candidate(block, self._venue_filter) or any(decode(block, self._venue_filter)):
            relevant = block.relevant
            operations = [] if relevant is None else relevant.operations
            where = ", ".join(
                f"transaction {each.transaction_id}, operation {each.operation_index}" for each in operations
            )
            cause = f"{url} has operations of the exchange in this block ({where}): they were left out"
            raise MismatchFound(
                Mismatch("block published as a header only", sample.number, None, None, None, cause)
            )
        return is_verified

    def _check_whole(self, ours: Block) -> bool:
        """Raise MismatchFound if the transactions are not those of the nodes' block."""
        block, url = self._block(ours.number, ours.block_id)
        is_verified = self._is_verified(block, url)
        try:
            found = block_difference(ours.raw, block.raw)
        except BlockError as error:
            raise TargetUnavailable(f"block {ours.number}: {error}") from None
        if found is not None:
            cause = f"{url} has other transactions under the same block id: {found}"
            raise MismatchFound(Mismatch("published whole block", ours.number, None, None, None, cause))
        return is_verified

    def _is_verified(self, block: Block, url: str) -> bool:
        """Whether a node's transactions are verified. Raises TargetUnavailable if the header denies them."""
        try:
            if self._verifier is None or not self._verifier.can_check(block):
                return False
            self._verifier.check(block)
        except BlockError as error:
            raise TargetUnavailable(f"{url}: {error}") from None
        return True

    def _block(self, number: int, block_id: str) -> tuple[Block, str]:
        """The nodes' block of that id, and the node. Raises MismatchFound and TargetUnavailable."""
        with self._client() as client:
            try:
                texts = client.block_range(number, 1)
                url = str(client.current_node)
                if not texts:
                    raise TargetUnavailable(f"{url} has no block {number}")
                block = Block(texts[0])
                check_id(block)
            except (NodeError, BlockError) as error:
                raise TargetUnavailable(f"block {number}: {error}") from None
        if block.block_id != block_id:
            raise MismatchFound(
                Mismatch("block id", number, None, block_id, block.block_id, f"the second one is of {url}")
            )
        return block, url

    @contextmanager
    def _client(self) -> Iterator[HiveClient]:
        client = self._clients.get()
        try:
            yield client
        finally:
            self._clients.put(client)
