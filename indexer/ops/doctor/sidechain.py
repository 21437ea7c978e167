"""The Hive-Engine nodes: whether each can be reached, follows Hive, and tells the same as the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from indexer.ops.doctor.ask import Asker, at_once, milliseconds
from indexer.ops.doctor.findings import Finding, fatal, ok, warn
from indexer.sources.backoff import NodeError

_BEHIND_BLOCKS: Final = 20
_SLOW_SECONDS: Final = 2.0
_CHECK: Final = "sidechain node"
_PAGE: Final = 1000
_MOST_PAGES: Final = 50
_ANY_TOKEN: Final = {"contract": "tokens", "table": "tokens", "query": {}, "limit": 1, "offset": 0}


class _Status(msgspec.Struct, rename="camel"):
    last_parsed_hive_block_number: int
    last_block_number: int = 0
    light_node: bool = False


class _Block(msgspec.Struct):
    hash: str = ""


@dataclass
class EngineNode:
    """What a node said of itself. `problem` is why it cannot be used, None where it can."""

    asker: Asker
    hive_block: int = 0
    block: int = 0
    is_light: bool = False
    seconds: float = 0.0
    problem: str | None = None

    @property
    def url(self) -> str:
        return self.asker.url

    def find(self, table: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        """All rows of a table of the contract `tokens`. Raises NodeError."""
        rows: list[dict[str, Any]] = []
        for page in range(_MOST_PAGES):
            asked = {"contract": "tokens", "table": table, "query": query}
            limits = {"limit": _PAGE, "offset": page * _PAGE, "indexes": []}
            found = self.asker.ask("find", {**asked, **limits}, list[dict[str, Any]], "/contracts")
            rows += found
            if len(found) < _PAGE:
                return rows
        raise NodeError(f"{self.url}: more than {_MOST_PAGES * _PAGE} rows in {table}")

    def hash_of(self, number: int) -> str | None:
        """The hash of one of its blocks; None where it does not say."""
        try:
            block = self.asker.ask("getBlockInfo", {"blockNumber": number}, _Block, "/blockchain")
        except NodeError:
            return None
        return block.hash or None


def look_at(urls: Sequence[str]) -> list[EngineNode]:
    """Ask all nodes at the same time."""
    return at_once(_look, list(dict.fromkeys(urls)))


def _look(url: str) -> EngineNode:
    node = EngineNode(Asker(url))
    try:
        status = node.asker.ask("getStatus", {}, _Status, "/blockchain")
        node.seconds = node.asker.seconds
        node.hive_block = status.last_parsed_hive_block_number
        node.block = status.last_block_number
        node.is_light = status.light_node
        node.asker.ask("find", _ANY_TOKEN, list[dict[str, Any]], "/contracts")
    except NodeError as error:
        node.problem = str(error).removeprefix(f"{node.url}/").removeprefix(f"{node.url}: ")
    return node


def findings(nodes: Sequence[EngineNode], irreversible: int) -> Iterator[Finding]:
    """One for each node, against Hive's last irreversible block, and what they are together."""
    well = [node for node in nodes if node.problem is None]
    for node in nodes:
        yield _finding(node, irreversible, is_alone=not well)
    if not nodes:
        yield fatal("sidechain nodes", "none named", "name one with --engine-node")
    known = [node for node in well if node.block > 0]
    if len(known) > 1:
        number = min(node.block for node in known)
        hashes = dict(
            zip((node.url for node in known), at_once(lambda node: node.hash_of(number), known), strict=True)
        )
        if len({told for told in hashes.values() if told is not None}) > 1:
            said = ", ".join(f"{url} says {told}" for url, told in hashes.items())
            yield fatal(
                "sidechain nodes",
                f"they disagree about their block {number}: {said}",
                "find out who is wrong, and leave it out",
            )


def _finding(node: EngineNode, irreversible: int, *, is_alone: bool) -> Finding:
    if node.problem is not None:
        level = fatal if is_alone else warn
        return level(_CHECK, f"{node.url}: {node.problem}", "name another with --engine-node, or wait")
    text = f"{node.url}: at Hive block {node.hive_block}, {milliseconds(node.seconds)}"
    behind = irreversible - node.hive_block
    if behind > _BEHIND_BLOCKS:
        return warn(
            _CHECK,
            f"{text}, {behind} blocks behind Hive",
            "wait, or name another with --engine-node: deposits of tokens wait for it",
        )
    if node.is_light:
        return warn(_CHECK, f"{text}, a light node", "name a full one: a light node forgets old receipts")
    if node.seconds > _SLOW_SECONDS:
        return warn(_CHECK, f"{text}: slow", "name a nearer node with --engine-node")
    return ok(_CHECK, text)
