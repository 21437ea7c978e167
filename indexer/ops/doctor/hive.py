"""The Hive nodes: whether each can be reached, keeps up, reads ranges, and tells the others' chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from indexer.chain.blocks import Block, BlockError, seconds_of
from indexer.chain.integrity.block_id import check_id
from indexer.ops.doctor.ask import Asker, at_once, milliseconds
from indexer.ops.doctor.findings import Finding, fatal, ok, warn
from indexer.sources.backoff import NodeError
from indexer.sources.source import Cursor, SourceError, check_link

RANGE_BLOCKS: Final = 20
_BEHIND_BLOCKS: Final = 20
_LAG_BLOCKS: Final = 30
_SLOW_SECONDS: Final = 2.0
_CHECK: Final = "hive node"


class _Properties(msgspec.Struct):
    head_block_number: int
    last_irreversible_block_num: int
    time: str


@dataclass
class HiveNode:
    """What a node said of itself. `problem` is why it cannot be used, None where it can."""

    asker: Asker
    head: int = 0
    irreversible: int = 0
    head_time: int = 0
    seconds: float = 0.0
    problem: str | None = None

    @property
    def url(self) -> str:
        return self.asker.url

    def block_id(self, number: int) -> str | None:
        """The id of one of its blocks, None where it does not say. `problem` is left alone."""
        try:
            (text,) = self.asker.blocks(number, 1)
            return Block(text).block_id
        except (NodeError, BlockError, ValueError):
            return None


def look_at(urls: Sequence[str]) -> list[HiveNode]:
    """Ask all nodes at the same time."""
    return at_once(_look, list(dict.fromkeys(urls)))


def _look(url: str) -> HiveNode:
    node = HiveNode(Asker(url))
    try:
        properties = node.asker.ask("database_api.get_dynamic_global_properties", {}, _Properties)
        node.seconds = node.asker.seconds
        node.head = properties.head_block_number
        node.irreversible = properties.last_irreversible_block_num
        node.head_time = seconds_of(properties.time)
        _read_range(node)
    except (NodeError, BlockError, SourceError) as error:
        node.problem = str(error).removeprefix(f"{url}: ")
    return node


def _read_range(node: HiveNode) -> None:
    """The newest irreversible blocks, numbered, linked, with right ids. Raises what is wrong with them."""
    first = max(1, node.irreversible - RANGE_BLOCKS + 1)
    count = node.irreversible - first + 1
    texts = node.asker.blocks(first, count)
    if len(texts) != count:
        raise NodeError(f"range reads fail: {len(texts)} blocks where {count} were asked for")
    last = Cursor(first - 1)
    for text in texts:
        block = Block(text)
        check_id(block)
        check_link(block, last)
        last = Cursor(block.number, block.block_id)


def findings(nodes: Sequence[HiveNode], quorum: int) -> Iterator[Finding]:
    """One for each node, and what they are together."""
    well = [node for node in nodes if node.problem is None]
    best = max((node.head for node in well), default=0)
    for node in nodes:
        yield _finding(node, best, is_alone=not well)
    if len(well) < quorum:
        yield fatal(
            "hive nodes",
            f"{len(well)} of {len(nodes)} can be used, and {quorum} must agree on what is irreversible",
            "name other nodes with --node",
        )
    yield from _agreement(well)


def _finding(node: HiveNode, best: int, *, is_alone: bool) -> Finding:
    if node.problem is not None:
        level = fatal if is_alone else warn
        return level(_CHECK, f"{node.url}: {node.problem}", "name another with --node, or wait")
    text = (
        f"{node.url}: head {node.head}, irreversible {node.irreversible}, "
        f"ranges work, {milliseconds(node.seconds)}"
    )
    if best - node.head > _BEHIND_BLOCKS:
        behind = f"{best - node.head} blocks behind the others"
        return warn(_CHECK, f"{text}, {behind}", "name another with --node, or wait")
    if node.head - node.irreversible > _LAG_BLOCKS:
        return warn(
            _CHECK,
            f"{text}: irreversibility lags {node.head - node.irreversible} blocks",
            "wait: the chain confirms its blocks late, and nothing is decided meanwhile",
        )
    if node.seconds > _SLOW_SECONDS:
        return warn(_CHECK, f"{text}: slow", "name a nearer node with --node")
    return ok(_CHECK, text)


def _agreement(nodes: Sequence[HiveNode]) -> Iterator[Finding]:
    """Whether all tell the same chain, at the newest block that is irreversible for each of them."""
    if len(nodes) < 2:
        return
    number = min(node.irreversible for node in nodes)
    ids = dict(
        zip((node.url for node in nodes), at_once(lambda node: node.block_id(number), nodes), strict=True)
    )
    told = {block_id for block_id in ids.values() if block_id is not None}
    if len(told) > 1:
        said = ", ".join(f"{url} says {block_id}" for url, block_id in ids.items())
        yield fatal(
            "hive nodes", f"they disagree about block {number}: {said}", "find out who lies, and leave it out"
        )
    elif told:
        yield ok("hive nodes", f"{len(nodes)} nodes agree on block {number}")


def on_this_chain(node: HiveNode, number: int, block_id: str) -> Finding | None:
    """Whether the database's last block is one of this chain; None where the node has none to compare."""
    if number > node.irreversible:
        return None
    theirs = node.block_id(number)
    if theirs is None:
        return None
    if theirs == block_id:
        return ok("chain", f"the database's block {number} is on the nodes' chain")
    return fatal(
        "chain",
        f"block {number} is {block_id} in the database, and {theirs} for {node.url}",
        "ask other nodes; if they say the same, replay from an archive into a new database",
    )
