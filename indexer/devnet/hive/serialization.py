"""Hive's binary serialization, from which transaction ids, merkle roots and block ids are hashed.

There are two packings of an amount: the legacy one contains the symbol (still STEEM and SBD), the one of
hardfork 26 the asset number ("NAI"). A transaction's id depends on the packing that its author signed.
"""

from __future__ import annotations

import calendar
import hashlib
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from indexer.devnet.hive.account_update import AccountUpdate, pack_count
from indexer.devnet.hive.operations import (
    Operation,
    PowerUp,
    Transfer,
    block_api_operation,
    condenser_operation,
)

Packing = Literal["legacy", "nai"]

TRANSFER_CODE: Final = 2
POWER_UP_CODE: Final = 3
CUSTOM_JSON_CODE: Final = 18
EMPTY_MERKLE_ROOT: Final = bytes(20)

_LEGACY_SYMBOL: Final = {"HIVE": b"\x03STEEM\0\0", "HBD": b"\x03SBD\0\0\0\0"}
# The native coins' numbers follow the largest other NAI (99,999,999), shifted left over the precision.
_NAI_SYMBOL: Final = {
    "HIVE": struct.pack("<I", (99_999_999 + 2) << 5 | 3),
    "HBD": struct.pack("<I", (99_999_999 + 1) << 5 | 3),
}


def iso_time(seconds: int) -> str:
    """Seconds since 1970 in Hive's format: ISO 8601 in UTC without a zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def parse_time(text: str) -> int:
    """The inverse of `iso_time`. Raises ValueError."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


pack_varint = pack_count


def _pack_text(text: str) -> bytes:
    raw = text.encode()
    return pack_varint(len(raw)) + raw


def _pack_texts(texts: Sequence[str]) -> bytes:
    return pack_varint(len(texts)) + b"".join(map(_pack_text, texts))


def pack_operation(operation: Operation, packing: Packing) -> bytes:
    """The operation's bytes, starting with its code."""
    if isinstance(operation, AccountUpdate):
        return operation.packed()
    if isinstance(operation, Transfer | PowerUp):
        symbols = _LEGACY_SYMBOL if packing == "legacy" else _NAI_SYMBOL
        return (
            bytes((TRANSFER_CODE if isinstance(operation, Transfer) else POWER_UP_CODE,))
            + _pack_text(operation.sender)
            + _pack_text(operation.recipient)
            + struct.pack("<q", operation.amount.mils)
            + symbols[operation.amount.symbol]
            + (_pack_text(operation.memo) if isinstance(operation, Transfer) else b"")
        )
    return (
        bytes((CUSTOM_JSON_CODE,))
        + _pack_texts(operation.required_auths)
        + _pack_texts(operation.required_posting_auths)
        + _pack_text(operation.id)
        + _pack_text(operation.json)
    )


@dataclass(frozen=True)
class Transaction:
    """A signed transaction."""

    ref_block_num: int
    ref_block_prefix: int
    expiration: int  # seconds since 1970
    operations: tuple[Operation, ...]
    signatures: tuple[bytes, ...] = ()  # 65 bytes each
    packing: Packing = "legacy"  # the packing that was signed

    @cached_property
    def unsigned_bytes(self) -> bytes:
        """The serialized transaction without signatures, which is hashed for the id and the signatures."""
        head = struct.pack("<HII", self.ref_block_num, self.ref_block_prefix, self.expiration)
        body = b"".join(pack_operation(operation, self.packing) for operation in self.operations)
        return head + pack_varint(len(self.operations)) + body + b"\0"

    @cached_property
    def id(self) -> str:
        """The first 20 bytes of the SHA-256 of the unsigned transaction, in hex."""
        return hashlib.sha256(self.unsigned_bytes).hexdigest()[:40]

    @cached_property
    def size(self) -> int:
        """Bytes of the signed transaction in a block."""
        return len(self.unsigned_bytes) + 1 + 65 * len(self.signatures)

    def digest(self, chain_id: bytes) -> bytes:
        """The 32-byte digest that is signed."""
        return hashlib.sha256(chain_id + self.unsigned_bytes).digest()

    def merkle_leaf(self) -> bytes:
        """SHA-256 of the signed transaction."""
        signed = self.unsigned_bytes + pack_varint(len(self.signatures)) + b"".join(self.signatures)
        return hashlib.sha256(signed).digest()

    def block_api(self) -> dict[str, object]:
        """The transaction as `block_api` writes it."""
        return self._header() | {
            "operations": [block_api_operation(operation) for operation in self.operations],
            "extensions": [],
            "signatures": [signature.hex() for signature in self.signatures],
        }

    def condenser(self) -> dict[str, object]:
        """The transaction as `condenser_api` writes it."""
        return self._header() | {
            "operations": [condenser_operation(operation) for operation in self.operations],
            "extensions": [],
            "signatures": [signature.hex() for signature in self.signatures],
        }

    def _header(self) -> dict[str, object]:
        return {
            "ref_block_num": self.ref_block_num,
            "ref_block_prefix": self.ref_block_prefix,
            "expiration": iso_time(self.expiration),
        }


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The merkle root (20 bytes) of transactions: an odd node moves up unhashed; zeros without leaves."""
    if not leaves:
        return EMPTY_MERKLE_ROOT
    level = list(leaves)
    while len(level) > 1:
        pairs = [hashlib.sha256(level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            pairs.append(level[-1])
        level = pairs
    return hashlib.new("ripemd160", level[0]).digest()


def pack_header(previous: bytes, timestamp: int, witness: str, root: bytes) -> bytes:
    """The serialized unsigned block header without extensions; `timestamp` is in seconds since 1970."""
    return previous + struct.pack("<I", timestamp) + _pack_text(witness) + root + b"\0"


def block_id(number: int, header: bytes, signature: bytes) -> bytes:
    """The block id (20 bytes): SHA-224 of the signed header with the block number in its first 4 bytes."""
    return struct.pack(">I", number) + hashlib.sha224(header + signature).digest()[4:20]


def block_number(ident: bytes) -> int:
    """The block number in a block id."""
    return int.from_bytes(ident[:4], "big")


def reference(ident: bytes) -> tuple[int, int]:
    """`(ref_block_num, ref_block_prefix)` of a transaction that references the block of this id."""
    return block_number(ident) & 0xFFFF, int.from_bytes(ident[4:8], "little")
