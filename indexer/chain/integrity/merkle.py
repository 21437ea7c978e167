"""Verifies transactions against the merkle root in the header (optional extra `peakedex[verify]`).

hiveio-wax (Python 3.12 or newer) serializes every operation as hived does, which gives transaction ids and
the merkle root. The block's id and the witness signature cover that root, so no operation can be altered,
added or omitted, and blocks from a single node need no comparison.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from indexer.chain.blocks import Block, BlockError

EMPTY_ROOT: Final = "00" * 20
_ID_LENGTH: Final = 40
_MODULE: Final = "wax.cpp_python_bridge"


class Verifier(Protocol):
    """Verifier of a block's transactions against its header."""

    def can_check(self, block: Block) -> bool:
        """Whether the block has a shape that it can serialize. Raises BlockError for an invalid block."""
        ...

    def check(self, block: Block) -> None:
        """Raise BlockError unless ids and merkle root match the block's transactions."""
        ...


class _Body(msgspec.Struct, frozen=True):
    transaction_ids: list[str]
    transactions: list[dict[str, Any]]


_decode_body: Final = msgspec.json.Decoder(_Body).decode


def local_verifier() -> Verifier | None:
    """The verifier; None where its library is not installed."""
    try:
        importlib.import_module("wax")
        return WaxVerifier(importlib.import_module(_MODULE))
    except ImportError:
        return None


class WaxVerifier:
    """Verifier for blocks in block_api's shape. `bridge` is the library's C++ module."""

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge

    def can_check(self, block: Block) -> bool:
        """Whether the block is in block_api's shape, not in condenser_api's. Raises BlockError."""
        operations = (row.get("operations") for row in self._body(block).transactions)
        return not any(isinstance(row, list) and row and isinstance(row[0], list) for row in operations)

    def check(self, block: Block) -> None:
        """Raise BlockError unless ids and merkle root match the block's transactions."""
        body = self._body(block)
        if len(body.transaction_ids) != len(body.transactions):
            raise BlockError(f"block {block.number}: not as many transactions as ids")
        leaves = [
            self._leaf(transaction, transaction_id, block.number)
            for transaction, transaction_id in zip(body.transactions, body.transaction_ids, strict=True)
        ]
        if merkle_root(leaves) != block.fields.transaction_merkle_root:
            raise BlockError(f"block {block.number}: its transactions do not match its merkle root")

    @staticmethod
    def _body(block: Block) -> _Body:
        try:
            return _decode_body(block.raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BlockError(f"block {block.number}: {error}") from None

    def _leaf(self, transaction: dict[str, Any], transaction_id: str, number: int) -> bytes:
        """SHA-256 of the signed transaction, in the serialization that gives its id."""
        try:
            handle = self._bridge.create_wax_transaction(transaction, False)
            for is_new in (False, True):
                if (
                    _sha256(self._bridge.tx_to_binary(handle, is_new, True)).hex()[:_ID_LENGTH]
                    == transaction_id
                ):
                    return _sha256(self._bridge.tx_to_binary(handle, is_new, False))
        except (RuntimeError, ValueError, TypeError) as error:
            raise BlockError(f"block {number}: {transaction_id} cannot be serialized: {error}") from None
        raise BlockError(f"block {number}: {transaction_id} is not the id of its transaction")


def _sha256(hexadecimal: bytes) -> bytes:
    return hashlib.sha256(bytes.fromhex(hexadecimal.decode("ascii"))).digest()


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Merkle root of the leaves (40 hex digits): an odd leaf moves up a level; zeros without leaves."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [hashlib.sha256(left + right).digest() for left, right in pairs] + odd
    return hashlib.new("ripemd160", level[0]).hexdigest()
