"""Checks of the Hive-Engine nodes: reachable, following Hive, in agreement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from indexer.ops.doctor.findings import Finding, fatal, ok, warn
from indexer.ops.doctor.hive import HiveNode
from indexer.ops.doctor.node_client import SLOW_SECONDS, NodeClient, in_parallel, milliseconds
from indexer.sources.escrow_balances import find_rows
from settlement.net.http_client import NodeError

_BEHIND_BLOCKS: Final = 20
_FORK_BLOCKS: Final = 20
"""How many of a node's last blocks are compared with Hive's."""
_CHECK: Final = "sidechain node"
_ANY_TOKEN: Final = {"contract": "tokens", "table": "tokens", "query": {}, "limit": 1, "offset": 0}


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: int
    last_block_number: int = 0
    last_block_ref_hive_block_number: int = 0
    light_node: bool = False


class _Block(msgspec.Struct, rename="camel"):
    hash: str = ""
    ref_hive_block_number: int = 0
    ref_hive_block_id: str = ""


@dataclass
class SidechainNode:
    """Status of a node."""

    client: NodeClient
    hive_block: int = 0  # last Hive block that it fetched; it executes them some blocks later
    executed: int = 0  # last Hive block of which it executed something; 0: it does not say
    block: int = 0  # last block of its own
    is_light: bool = False
    seconds: float = 0.0  # answer time
    problem: str | None = None  # why it cannot be used

    @property
    def url(self) -> str:
        return self.client.url

    def find(self, table: str, query: dict[str, Any], contract: str = "tokens") -> list[dict[str, Any]]:
        """All rows of a contract's table; none of an unknown one. Raises NodeError."""
        return find_rows(self.client, table, query, contract)

    def hash_of(self, number: int) -> str | None:
        """The hash of one of its blocks; None where it gives none."""
        block = self._block(number)
        return None if block is None else block.hash or None

    def orphan(self, hive: HiveNode) -> int | None:
        """The newest Hive block that it executed on another branch than Hive's; None where none is found.

        Looks at its last executed blocks that are irreversible on Hive.
        """
        for number in range(self.block, max(0, self.block - _FORK_BLOCKS), -1):
            block = self._block(number)
            if block is not None and 0 < block.ref_hive_block_number <= hive.irreversible:
                block_id = hive.block_id(block.ref_hive_block_number)
                if block_id is not None and block_id != block.ref_hive_block_id:
                    return block.ref_hive_block_number
        return None

    def _block(self, number: int) -> _Block | None:
        try:
            return self.client.call("getBlockInfo", {"blockNumber": number}, _Block, "/blockchain")
        except NodeError:
            return None


def inspect_nodes(urls: Sequence[str]) -> list[SidechainNode]:
    """Query all nodes in parallel."""
    return in_parallel(_inspect, list(dict.fromkeys(urls)))


def _inspect(url: str) -> SidechainNode:
    node = SidechainNode(NodeClient(url))
    try:
        status, node.seconds = node.client.timed(
            lambda: node.client.call("getStatus", {}, _Status, "/blockchain")
        )
        node.hive_block = status.last_parsed_hive_block_number - 1  # it tells the next one to fetch
        node.executed = status.last_block_ref_hive_block_number
        node.block = status.last_block_number
        node.is_light = status.light_node
        node.client.call("find", _ANY_TOKEN, list[dict[str, Any]], "/contracts")
    except NodeError as error:
        node.problem = str(error).removeprefix(f"{node.url}/").removeprefix(f"{node.url}: ")
    return node


def findings(
    nodes: Sequence[SidechainNode],
    irreversible: int,
    hive: HiveNode | None = None,
    *,
    trust_single_node: bool = False,
) -> Iterator[Finding]:
    """A finding for each node, compared with Hive's last irreversible block, and on their agreement."""
    well = [node for node in nodes if node.problem is None]
    for node in nodes:
        yield _finding(node, irreversible, hive, is_alone=not well)
    if not nodes:
        yield fatal("sidechain nodes", "none given", "add one with --engine-node")
    if len(nodes) == 1 and not trust_single_node:
        yield warn(
            "sidechain nodes",
            "a single Hive-Engine node would be believed alone: `peakedex follow` refuses it",
            "add others with --engine-node, or accept it with --trust-single-node",
        )
    known = [node for node in well if node.block > 0]
    if len(known) > 1:
        number = min(node.block for node in known)
        hashes = dict(
            zip(
                (node.url for node in known),
                in_parallel(lambda node: node.hash_of(number), known),
                strict=True,
            )
        )
        if len({block_hash for block_hash in hashes.values() if block_hash is not None}) > 1:
            versions = ", ".join(f"{url} has {block_hash}" for url, block_hash in hashes.items())
            yield fatal(
                "sidechain nodes",
                f"they disagree about their block {number}: {versions}",
                "find out which is wrong, and remove it",
            )


def _finding(node: SidechainNode, irreversible: int, hive: HiveNode | None, *, is_alone: bool) -> Finding:
    if node.problem is not None:
        level = fatal if is_alone else warn
        return level(_CHECK, f"{node.url}: {node.problem}", "add another with --engine-node, or wait")
    executed = f", executed up to {node.executed}" if node.executed else ""
    text = f"{node.url}: at Hive block {node.hive_block}{executed}, {milliseconds(node.seconds)}"
    orphan = None if hive is None else node.orphan(hive)
    if orphan is not None:
        return fatal(
            _CHECK,
            f"{node.url}: this Hive-Engine node followed a fork: it executed another block than Hive's block "
            f"{orphan}",
            "it must be replayed: use a snapshot of before the fork, or another --engine-node",
        )
    behind = irreversible - node.hive_block
    if behind > _BEHIND_BLOCKS:
        return warn(
            _CHECK,
            f"{text}, {behind} blocks behind Hive",
            "wait, or add another with --engine-node: token deposits are delayed until it catches up",
        )
    if node.is_light:
        return warn(_CHECK, f"{text}, a light node", "use a full node: a light node drops old receipts")
    if node.seconds > SLOW_SECONDS:
        return warn(_CHECK, f"{text}: slow", "choose a faster node with --engine-node")
    return ok(_CHECK, text)
