"""Long chains out of a seed, for tests and benchmarks: blocks and receipts that exercise every rule.

They are made by the same `Chain` and `Sidechain` that the live devnet runs, so their ids, links, roots and
receipts are what a node would serve. The same arguments give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from indexer.devnet.generator.scenario import Scenario
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.venue import EXAMPLE, VenueView, read_venue

Shape = Literal["block_api", "condenser"]
Row = dict[str, Any]

BLOCKS_FILE: Final = "blocks.jsonl"
RECEIPTS_FILE: Final = "receipts.jsonl"
# Generated blocks hold as many operations as asked for, whatever a real block's limit is.
MAX_BLOCK_BYTES: Final = 1 << 30


@dataclass
class Generated:
    """A chain: `blocks` in order, `receipts` as getBlockInfoByHiveBlock gives them (of blocks that have
    any), and how many elements of each kind went in."""

    blocks: list[Row] = field(default_factory=list)
    receipts: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Generator:
    """Makes a chain block by block. `stream` may be called once.

    `ops_per_block` is the number of operations in a block, once the accounts are funded (the first blocks
    hold what funds them). `accounts` is the number of traders. `sign` signs blocks with real keys, which
    costs about 1.5 ms a block. Without `hostile` the bombs are left out, and without `operator` the
    operator's actions. `depth` is how many orders a trader leaves open.
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
        self.scenario = Scenario(
            self._node,
            venue or read_venue(EXAMPLE.read_text(encoding="utf-8")),
            seed=seed,
            accounts=accounts,
            hostile=hostile,
            operator=operator,
            depth=depth,
        )

    def stream(self, blocks: int) -> Iterator[tuple[Row, Row | None]]:
        """Each block with its receipts, None where the sidechain had nothing to do."""
        for _ in range(blocks):
            self.scenario.fill(self._ops_per_block)
            block = self._node.tick()
            assert block is not None
            receipts = self._node.sidechain.take()
            yield (block.block_api() if self._shape == "block_api" else block.condenser()), receipts


def generate(seed: int, blocks: int, ops_per_block: int, **options: Any) -> Generated:
    """A chain of so many blocks in memory. The options are those of `Generator`."""
    generator = Generator(seed, ops_per_block=ops_per_block, **options)
    generated = Generated()
    for block, receipts in generator.stream(blocks):
        generated.blocks.append(block)
        if receipts is not None:
            generated.receipts.append(receipts)
    generated.counts = generator.scenario.counts
    return generated


def write_archive(folder: Path, seed: int, blocks: int, ops_per_block: int, **options: Any) -> Counter[str]:
    """The same chain as an archive folder, one block a line; gives the counts. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = Generator(seed, ops_per_block=ops_per_block, **options)
    encode = msgspec.json.encode
    with (
        (folder / BLOCKS_FILE).open("wb") as block_lines,
        (folder / RECEIPTS_FILE).open("wb") as receipt_lines,
    ):
        for block, receipts in generator.stream(blocks):
            block_lines.write(encode(block) + b"\n")
            if receipts is not None:
                receipt_lines.write(encode(receipts) + b"\n")
    return generator.scenario.counts


def read_lines(path: Path) -> list[Row]:
    """The lines of an archive file that `write_archive` made. Raises OSError and ValueError."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
