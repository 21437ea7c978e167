"""Reads a range of blocks from one node and checks everything that one node can be held to."""

from __future__ import annotations

from collections.abc import Callable

from indexer.chain.blocks import Block, BlockError
from indexer.chain.comparison import block_difference
from indexer.chain.integrity.block_id import check_id
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.integrity.witness import check_signature
from indexer.sources.hive_client import HiveClient
from indexer.sources.source import Cursor, SourceError, check_link
from settlement.net.http_client import NodeError


class NotYetAvailable(NodeError):
    """The node does not have the block yet; another one may."""


def read_range(
    client: HiveClient, after: int, count: int, near_tip: bool, verifier: Verifier | None
) -> list[Block]:
    """A range with links and ids checked; near the tip also signatures; with a verifier also merkle roots.

    Raises NodeError.
    """
    blocks: list[Block] = []
    last = Cursor(after)
    for text in read_texts(client, after + 1, count):
        try:
            block = Block(text)
            check_link(block, last)
            check_id(block)
            if near_tip:
                check_signature(block)
            if verifier is not None:
                verifier.check(block)
        except (BlockError, SourceError) as error:
            raise NodeError(f"{client.current_node}: {error}") from None
        blocks.append(block)
        last = Cursor(block.number, block.block_id)
    return blocks


def read_texts(client: HiveClient, first: int, count: int) -> list[bytes]:
    """The JSON texts of 1 to `count` blocks. Raises NodeError."""
    texts = client.block_range(first, count)
    if not texts:
        raise NotYetAvailable(f"{client.current_node}: block {first} is not available yet")
    if len(texts) > count:
        raise NodeError(f"{client.current_node}: {count} blocks were requested, {len(texts)} returned")
    return texts


def check_relevant(block: Block, url: str, *, check_witness: bool) -> None:
    """Check a block of ours: its transactions can be read, and, if asked for, its signature.

    Raises NodeError.
    """
    checks: list[Callable[[], object]] = [lambda: block.transactions]
    if check_witness:
        checks.append(lambda: check_signature(block))
    for check in checks:
        try:
            check()
        except BlockError as error:
            raise NodeError(f"{url}: {error}") from None


def difference(block: Block, other: bytes, is_relevant: bool) -> str | None:
    """What differs in another node's text of the block, None if nothing that counts.

    Transactions are compared only in a block that may be relevant. Raises BlockError for an invalid text.
    """
    version = Block(other)
    if version.block_id != block.block_id:
        check_id(version)
        return f"id {block.block_id} or {version.block_id}"
    return block_difference(block.raw, other) if is_relevant else None


def is_same(one: bytes, other: bytes) -> bool:
    """Whether two texts are valid and describe the same block."""
    try:
        return difference(Block(one), other, True) is None
    except BlockError:
        return False
