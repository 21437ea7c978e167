"""Chain generator: blocks and sidechain receipts from a seed that exercise every rule.

They come from the same `Chain` and `Sidechain` as the live devnet, so ids, links, merkle roots and receipts
are what a node would serve. The same arguments give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from indexer.devnet.generator.workload import Workload
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.venue import EXAMPLE, VenueView, read_venue

Shape = Literal["block_api", "condenser"]
Row = dict[str, Any]

# No limit in practice: generated blocks hold as many operations as the caller asks for.
MAX_BLOCK_BYTES: Final = 1 << 30
# Longer than the hour after which a withdrawal returns.
HALT_SECONDS: Final = 3700


@dataclass
class GeneratedChain:
    """A generated chain in memory."""

    blocks: list[Row] = field(default_factory=list)  # in order
    receipts: list[Row] = field(
        default_factory=list
    )  # as getBlockInfoByHiveBlock returns them, without nulls
    counts: Counter[str] = field(default_factory=Counter)  # of operations and intents by kind


class Generator:
    """Generates a chain block by block. `stream` may be called once.

    `ops_per_block` is the number of operations in a block, after the first blocks, which fund the accounts.
    `accounts` is the number of traders. `sign` signs blocks with real keys, which costs about 0.4 ms a block.
    `hostile` adds malformed operations and `operator` the operator's actions. `depth` is the number of
    orders that a trader leaves open. `weights` overrides the frequencies of `workload.WEIGHTS`. Every
    `halt_every` blocks (0 for never) the chain stands still for HALT_SECONDS; then much is due at once.
    """

    def __init__(
        self,
        seed: int,
        *,
        ops_per_block: int = 20,
        venue: VenueView | None = None,
        accounts: int = 20,
        first_block: int = 1,
        block_time: int = 3,
        shape: Shape = "block_api",
        sign: bool = False,
        hostile: bool = True,
        operator: bool = True,
        depth: int = 24,
        weights: Mapping[str, int] | None = None,
        halt_every: int = 90,
    ) -> None:
        chain = Chain(
            seed=seed,
            block_time=block_time,
            first_block=first_block,
            sign=sign,
            check_json=False,
            max_block_bytes=MAX_BLOCK_BYTES,
        )
        self._node = DevNode(chain, Sidechain(heartbeat=0, keep_blocks=False))
        self._shape = shape
        self._ops_per_block = ops_per_block
        self._halt_every = halt_every
        self.workload = Workload(
            self._node,
            venue or read_venue(EXAMPLE.read_text(encoding="utf-8")),
            seed=seed,
            accounts=accounts,
            hostile=hostile,
            operator=operator,
            depth=depth,
            weights=weights,
        )

    def stream(self, blocks: int) -> Iterator[tuple[Row, Row | None]]:
        """Each block with its receipts, None where the sidechain made no block."""
        chain = self._node.chain
        for number in range(1, blocks + 1):
            self.workload.fill(self._ops_per_block)
            halts = self._halt_every > 0 and number % self._halt_every == 0
            block = self._node.tick(chain.head_time + HALT_SECONDS if halts else None)
            assert block is not None
            receipts = self._node.sidechain.last_block
            yield (block.block_api() if self._shape == "block_api" else block.condenser()), receipts


def generate(seed: int, blocks: int, ops_per_block: int, **options: Any) -> GeneratedChain:
    """Generate a chain of `blocks` blocks in memory. The options are those of `Generator`."""
    generator = Generator(seed, ops_per_block=ops_per_block, **options)
    generated = GeneratedChain()
    for block, receipts in generator.stream(blocks):
        generated.blocks.append(block)
        if receipts is not None:
            generated.receipts.append(receipts)
    generated.counts = generator.workload.counts
    return generated
