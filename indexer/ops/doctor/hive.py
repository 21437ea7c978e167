"""Checks of the Hive nodes: reachable, up to date, range reads work, all on the same chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from indexer.chain.blocks import Block, BlockError, seconds_of
from indexer.chain.integrity.block_id import check_id, unknown_extension
from indexer.ops.doctor.findings import Finding, fatal, ok, warn
from indexer.ops.doctor.node_client import SLOW_SECONDS, NodeClient, in_parallel, milliseconds
from indexer.sources.source import Cursor, SourceError, check_link
from settlement.net.chain_id import ExpectedChain, OtherChainError
from settlement.net.http_client import NodeError

RANGE_BLOCKS: Final = 20
_BEHIND_BLOCKS: Final = 20
_LAG_BLOCKS: Final = 30
_CHECK: Final = "hive node"


class _Properties(msgspec.Struct):
    head_block_number: int
    last_irreversible_block_num: int
    time: str


@dataclass
class HiveNode:
    """Status of a node."""

    client: NodeClient
    head: int = 0
    irreversible: int = 0
    head_time: int = 0
    seconds: float = 0.0  # answer time
    problem: str | None = None  # why it cannot be used
    unknown_extension: str | None = None  # of a header whose id could not be verified
    is_other_chain: bool = False
    has_chain_id: bool = True  # whether it tells its chain id

    @property
    def url(self) -> str:
        return self.client.url

    def block_id(self, number: int) -> str | None:
        """The id of one of its blocks; None where it gives none."""
        try:
            (text,) = self.client.blocks(number, 1)
            return Block(text).block_id
        except (NodeError, BlockError, ValueError):
            return None


def inspect_nodes(urls: Sequence[str], chain: ExpectedChain | None = None) -> list[HiveNode]:
    """Query all nodes in parallel. `chain` is what they must belong to; None: not checked."""
    return in_parallel(lambda url: _inspect(url, chain), list(dict.fromkeys(urls)))


def _inspect(url: str, chain: ExpectedChain | None) -> HiveNode:
    node = HiveNode(NodeClient(url))
    try:
        properties, node.seconds = node.client.timed(
            lambda: node.client.call("database_api.get_dynamic_global_properties", {}, _Properties)
        )
        node.head = properties.head_block_number
        node.irreversible = properties.last_irreversible_block_num
        node.head_time = seconds_of(properties.time)
        if chain is not None:
            node.has_chain_id = chain.check(url)
        _read_range(node)
    except OtherChainError as error:
        node.problem, node.is_other_chain = str(error).removeprefix(f"{url} "), True
    except (NodeError, BlockError, SourceError) as error:
        node.problem = str(error).removeprefix(f"{url}: ")
    return node


def _read_range(node: HiveNode) -> None:
    """Read and check the newest irreversible blocks. Raises NodeError, BlockError and SourceError."""
    first = max(1, node.irreversible - RANGE_BLOCKS + 1)
    count = node.irreversible - first + 1
    texts = node.client.blocks(first, count)
    if len(texts) != count:
        raise NodeError(f"range reads fail: {count} blocks requested, {len(texts)} returned")
    last = Cursor(first - 1)
    for text in texts:
        block = Block(text)
        check_id(block)
        node.unknown_extension = node.unknown_extension or unknown_extension(block)
        check_link(block, last)
        last = Cursor(block.number, block.block_id)


def findings(nodes: Sequence[HiveNode], quorum: int) -> Iterator[Finding]:
    """A finding for each node, and findings about quorum and agreement."""
    well = [node for node in nodes if node.problem is None]
    best = max((node.head for node in well), default=0)
    for node in nodes:
        yield _finding(node, best, is_alone=not well)
    unknown = next((node.unknown_extension for node in well if node.unknown_extension), None)
    if unknown is not None:
        alone = " With a single Hive node nothing else checks them." if len(nodes) == 1 else ""
        yield warn(
            "hive blocks",
            f"headers have an extension that this version does not know ({unknown}), so block ids cannot be "
            f"verified; blocks of several nodes are compared.{alone}",
            "update Peake DEX" + (", and add another with --node" if alone else ""),
        )
    if len(well) < quorum:
        yield fatal(
            "hive nodes",
            f"{len(well)} of {len(nodes)} are usable; {quorum} must agree on the last irreversible block",
            "add other nodes with --node",
        )
    yield from _agreement(well)


def _finding(node: HiveNode, best: int, *, is_alone: bool) -> Finding:
    if node.is_other_chain:
        return fatal(_CHECK, f"{node.url} {node.problem}", "remove it, or choose its chain with --chain-id")
    if node.problem is not None:
        level = fatal if is_alone else warn
        return level(_CHECK, f"{node.url}: {node.problem}", "add another with --node, or wait")
    text = (
        f"{node.url}: head {node.head}, irreversible {node.irreversible}, "
        f"ranges work, {milliseconds(node.seconds)}"
    )
    if best - node.head > _BEHIND_BLOCKS:
        behind = f"{best - node.head} blocks behind the others"
        return warn(_CHECK, f"{text}, {behind}", "add another with --node, or wait")
    if node.head - node.irreversible > _LAG_BLOCKS:
        return warn(
            _CHECK,
            f"{text}: irreversibility lags {node.head - node.irreversible} blocks",
            "wait: orders and deposits are processed only when their blocks are irreversible",
        )
    if not node.has_chain_id:
        text += ": it does not answer database_api.get_version, so its chain is not verified"
        return warn(_CHECK, text, "choose a node that answers it with --node")
    if node.seconds > SLOW_SECONDS:
        return warn(_CHECK, f"{text}: slow", "choose a faster node with --node")
    return ok(_CHECK, text)


def _agreement(nodes: Sequence[HiveNode]) -> Iterator[Finding]:
    """Whether all have the same newest block that is irreversible on each of them."""
    if len(nodes) < 2:
        return
    number = min(node.irreversible for node in nodes)
    ids = dict(
        zip((node.url for node in nodes), in_parallel(lambda node: node.block_id(number), nodes), strict=True)
    )
    distinct = {block_id for block_id in ids.values() if block_id is not None}
    if len(distinct) > 1:
        versions = ", ".join(f"{url} has {block_id}" for url, block_id in ids.items())
        yield fatal(
            "hive nodes",
            f"they disagree about block {number}: {versions}",
            "find out which is wrong, and remove it",
        )
    elif distinct:
        yield ok("hive nodes", f"{len(nodes)} nodes agree on block {number}")


def on_this_chain(node: HiveNode, number: int, block_id: str) -> Finding | None:
    """Whether the database's last block is on this node's chain; None where the node does not have it."""
    if number > node.irreversible:
        return None
    theirs = node.block_id(number)
    if theirs is None:
        return None
    if theirs == block_id:
        return ok("chain", f"the database's block {number} is on the nodes' chain")
    return fatal(
        "chain",
        f"block {number} is {block_id} in the database, but {theirs} on {node.url}",
        "check with other nodes; if they agree with it, replay from an archive into a new database",
    )
